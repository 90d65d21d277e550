package failover

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
)

// transportRow is one row of the table of faults without an answer.
type transportRow struct {
	match func(error) bool
	row
}

// errorRows are the faults without an answer and those of its content.
var errorRows = []transportRow{
	{is(errImpatient), row{
		fault: "A3", class: ResponseTimeout, blame: Nobody,
		why: "the app waits so briefly that a healthy answer may not fit",
	}},
	{is(errFirstByte), row{
		fault: "F41", class: FirstByteTimeout, blame: Entry, strike: true,
		why: "no sign of life",
	}},
	{is(errResponse), row{
		fault: "F41", class: ResponseTimeout, blame: Entry, strike: true,
		why: "longer than an answer of this size takes",
	}},
	{is(errFirstToken), row{
		fault: "F43", class: FirstTokenTimeout, blame: Entry, strike: true,
		why: "a queue that only sends keep-alives, or nothing",
	}},
	{is(errIdle), row{
		fault: "F47", class: IdleTimeout, blame: Entry, strike: true,
		why: "stalled in the middle; stalls that recover last up to about two minutes",
	}},
	{is(errHTML), row{
		fault: "F36", class: UnexpectedContent, blame: Host, strike: true,
		why: "maintenance page, captive portal or wrong base path",
	}},
	{is(errEncoding), row{
		fault: "F64", class: UnexpectedContent, blame: Host, strike: true,
		why: "damaged, or packed in a way that was not asked for, which is its edge's doing",
	}},
	{is(errContent, ErrEventTooLarge, ErrFrame), row{
		fault: "F59", class: UnexpectedContent, blame: Entry, strike: true,
		why: "not the dialect that was asked for",
	}},
	{is(errEmpty), row{
		fault: "F38", class: EmptyAnswer, blame: Entry, strike: true,
		why: "a 200 without an answer in it",
	}},
	{is(errTruncated), row{
		fault: "F56", class: Truncated, blame: Entry, strike: true,
		why: "a stream without its terminal event is not an answer",
	}},
	{is(ErrShutdown), row{
		fault: "F66", class: ServiceUnavailable, blame: Self, action: Drop,
		why: "our own end",
	}},
	{is(ErrNoCredential), row{
		fault: "F11", class: NoCredential, blame: Credential, hold: holdReady,
		why: "whoever issues the credential gave none, which says nothing about the provider's host",
	}},
	{isSpent, row{
		fault: "F66", class: EgressDown, blame: Self,
		why: "our own machine has no file descriptor, port or memory left for a connection",
	}},
	{isCanceled, row{
		fault: "F09", class: ClientClosed, blame: Nobody, action: Drop,
		why: "the app left, which is nobody's fault",
	}},
	{isNoSuchHost, row{
		fault: "F48", class: DNSError, blame: Host, hold: holdPath,
		why: "the name does not exist",
	}},
	{isDNS, row{
		fault: "F49", class: DNSError, blame: Host, strike: true,
		why: "the name could not be looked up",
	}},
	{isNoRoute, row{
		fault: "F51", class: EgressDown, blame: Host, strike: true,
		why: "our machine knows no way there",
	}},
	{isProxyConnect, row{
		fault: "F54", class: EgressDown, blame: Host, hold: holdPath,
		why: "our egress proxy refuses the way there",
	}},
	{isHandshakeTimeout, row{
		fault: "F53", class: ConnectTimeout, blame: Host, strike: true,
		why: "the TLS handshake stalls",
	}},
	{isTLS, row{
		fault: "F52", class: TLSError, blame: Host, hold: holdTLS,
		why: "a certificate that cannot be trusted now will not be in a second; never less secure instead",
	}},
	{isDialTimeout, row{
		fault: "F51", class: ConnectTimeout, blame: Host, strike: true,
		why: "packets are dropped on the way",
	}},
	{isDial, row{
		fault: "F50", class: ConnectionRefused, blame: Host, strike: true,
		why: "nobody listens",
	}},
	{isBroken, row{
		fault: "F57", class: ConnectionReset, blame: Host, strike: true, retry: true,
		why: "the connection ended under the request",
	}},
	{anyError, row{
		fault: "F57", class: ConnectionReset, blame: Host, strike: true, retry: true,
		why: "any other failure of the connection, HTTP/2 resets included",
	}},
}

// is matches an error of this package.
func is(targets ...error) func(error) bool {
	return func(err error) bool {
		return slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) })
	}
}

func isNoSuchHost(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}

func isDNS(err error) bool {
	_, ok := errors.AsType[*net.DNSError](err)
	return ok
}

// isTLS reports a certificate or protocol that will be as wrong next time.
func isTLS(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, hostname := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return verification || record || alert || authority || hostname || invalid || strings.Contains(err.Error(), "tls: ")
}

func isHandshakeTimeout(err error) bool {
	return strings.Contains(err.Error(), "TLS handshake timeout")
}

// isSpent reports that our own machine is at one of its limits.
func isSpent(err error) bool {
	return slices.ContainsFunc([]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EADDRNOTAVAIL}, func(t error) bool {
		return errors.Is(err, t)
	})
}

// isNoRoute reports that the kernel knows no way to the address.
func isNoRoute(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETDOWN)
}

// isProxyConnect reports that the egress proxy refused us.
func isProxyConnect(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "proxyconnect"
}

func isDialTimeout(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" && op.Timeout()
}

func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" || errors.Is(err, syscall.ECONNREFUSED)
}

// isBroken reports a connection that ended under the request.
func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isOneStream reports an HTTP/2 stream that was reset while its connection
// lives on. The transport's error has no exported type.
func isOneStream(err error) bool { return strings.HasPrefix(err.Error(), "stream error: ") }

func isCanceled(err error) bool { return errors.Is(err, context.Canceled) }

func anyError(error) bool { return true }
