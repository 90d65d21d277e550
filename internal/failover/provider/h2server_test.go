package provider

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
)

// Frame types and flags of HTTP/2.
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameGoAway = 0, 1, 3, 4, 6, 7
	flagEndStream, flagAck, flagEndHeaders                                     = 1, 1, 4
	refusedStream, internalError                                               = 7, 2
)

// h2conn is the server's side of one HTTP/2 connection, spoken by hand, so
// that it can misbehave.
type h2conn struct {
	net.Conn
	r *bufio.Reader
}

func (c *h2conn) write(kind, flags byte, stream uint32, payload []byte) {
	head := make([]byte, 9, 9+len(payload))
	binary.BigEndian.PutUint32(head, uint32(len(payload))<<8|uint32(kind))
	head[4] = flags
	binary.BigEndian.PutUint32(head[5:], stream)
	c.Write(append(head, payload...))
}

// request waits for the end of the next request and returns its stream; 0 at
// the connection's end.
func (c *h2conn) request() uint32 {
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(c.r, head); err != nil {
			return 0
		}
		length := binary.BigEndian.Uint32(head) >> 8
		payload := make([]byte, length)
		if _, err := io.ReadFull(c.r, payload); err != nil {
			return 0
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		switch {
		case kind == frameSettings && flags&flagAck == 0:
			c.write(frameSettings, flagAck, 0, nil)
		case kind == framePing && flags&flagAck == 0:
			c.write(framePing, flagAck, 0, payload)
		case (kind == frameData || kind == frameHeaders) && flags&flagEndStream != 0:
			return stream
		}
	}
}

// answer sends an empty 200.
func (c *h2conn) answer(stream uint32) {
	c.write(frameHeaders, flagEndHeaders|flagEndStream, stream, []byte{0x88})
}

func (c *h2conn) reset(stream, code uint32) {
	c.write(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code))
}

func (c *h2conn) goAway(last uint32) {
	c.write(frameGoAway, 0, 0, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), 0))
}

// h2server runs serve for every connection, with the connection's number, and
// counts them.
type h2server struct {
	config *tls.Config
	serve  func(n int, c *h2conn)
	mu     sync.Mutex
	conns  []net.Conn
	wg     sync.WaitGroup
}

func newH2Server(t *testing.T, serve func(n int, c *h2conn)) (*h2server, *x509.CertPool) {
	cert, pool := certificate(t)
	s := &h2server{config: &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}}, serve: serve}
	return s, pool
}

func (s *h2server) accept(raw net.Conn) {
	s.mu.Lock()
	s.conns = append(s.conns, raw)
	n := len(s.conns)
	s.mu.Unlock()
	s.wg.Go(func() {
		defer raw.Close()
		c := tls.Server(raw, s.config)
		h := &h2conn{Conn: c, r: bufio.NewReader(c)}
		preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
		if _, err := io.ReadFull(h.r, preface); err != nil {
			return
		}
		h.write(frameSettings, 0, 0, nil)
		s.serve(n, h)
	})
}

func (s *h2server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// close ends every connection and waits for what served it.
func (s *h2server) close() {
	s.mu.Lock()
	for _, c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// listen serves on a real socket and returns the base URL.
func (s *h2server) listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.accept(c)
		}
	})
	t.Cleanup(func() { l.Close(); s.close() })
	return "https://" + l.Addr().String() + "/v1"
}

// inMemory is a dialer that connects to a server without a socket, so that
// time can be simulated.
func (s *h2server) inMemory(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	conn := &queuedConn{Conn: server, queue: make(chan []byte, 1024)}
	s.wg.Go(func() {
		for b := range conn.queue {
			server.Write(b)
		}
		server.Close()
	})
	s.accept(conn)
	return client, nil
}

// queuedConn writes without waiting for the reader, as a socket does.
type queuedConn struct {
	net.Conn
	queue chan []byte
	once  sync.Once
}

func (c *queuedConn) Write(b []byte) (int, error) {
	c.queue <- bytes.Clone(b)
	return len(b), nil
}

func (c *queuedConn) Close() error {
	c.once.Do(func() { close(c.queue) })
	return nil
}
