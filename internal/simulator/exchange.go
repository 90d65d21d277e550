package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// maxBody is the largest request that the providers take; Anthropic publishes 32 MB.
const maxBody = 32 << 20

// forever is a wait that only the client, the server or the simulator ends.
const forever time.Duration = -1

// errGone says that the exchange is over: nobody reads the answer any more, or the fault ended it.
var errGone = errors.New("exchange is over")

// exchange is one request on its way through a provider. It belongs to the handler's goroutine; rec is guarded by
// the provider's lock.
type exchange struct {
	p    *Provider
	w    http.ResponseWriter
	r    *http.Request
	ctx  context.Context
	path string

	serial int
	id     string
	key    string // Name of the key.
	body   []byte
	model  string
	stream bool
	action string // Last segment of the path, at Bedrock.
	fault  *Fault
	rec    *Request

	eol      string
	complete bool // The answer was sent to its end.
}

// serve answers one request.
func (p *Provider) serve(w http.ResponseWriter, r *http.Request, path string) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	// The simulator's own end reaches the request by a callback, not by a channel, which could belong to another
	// synctest bubble.
	defer context.AfterFunc(p.sim.ctx, func() { cancel(errClosed) })()
	x := &exchange{p: p, w: w, r: r, ctx: ctx, path: path, eol: "\n"}
	x.key = p.keyName(p.keyOf(r.Header))
	p.begin(x)
	defer p.end(x)
	if err := x.answer(); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// answer reads the request and answers it. An error means that the connection is to be cut.
func (x *exchange) answer() error {
	tooLarge, err := x.read()
	if err != nil {
		return err
	}
	if x.fault = x.p.pick(x); x.fault != nil {
		name := x.fault.Name
		if name == "" {
			name = string(x.fault.Effect)
		}
		x.p.update(func() { x.rec.Fault = name })
		if err := x.before(); err != nil || x.fault.instead() {
			return err
		}
	} else {
		x.fault = &Fault{}
	}
	if tooLarge {
		return x.sendError(tooLargeError(x.p.config.Kind))
	}
	switch x.p.config.Kind {
	case Bedrock:
		return x.bedrock()
	case Anthropic:
		return x.anthropic()
	case Gemini:
		return x.gemini()
	}
	return x.openAI()
}

// read takes the request's body in and peeks at it.
func (x *exchange) read() (tooLarge bool, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	var peek struct {
		Model  string `json:"model"`
		Stream bool   `json:"stream"`
	}
	// Whether the body is valid is for the checks to say; a fault applies to invalid requests too.
	_ = json.Unmarshal(body, &peek)
	x.body, x.model, x.stream = body, peek.Model, peek.Stream
	switch x.p.config.Kind {
	case Bedrock:
		x.bedrockTarget()
	case Gemini:
		x.readTarget()
	}
	x.p.update(func() { x.rec.Body, x.rec.Model, x.rec.Stream = body, x.model, x.stream })
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return true, nil
	}
	return false, err
}

// before plays the effects that come before the provider's own logic.
func (x *exchange) before() error {
	f := x.fault
	switch f.Effect {
	case Respond:
		return x.respond()
	case Hang:
		return x.wait(orForever(f.Delay))
	case HangAfterHeaders, KeepAlives:
		if f.Delay == 0 {
			return x.silence(forever)
		}
	case Close:
		return x.disconnect(false)
	case Reset:
		return x.disconnect(true)
	case ResetAfterHeaders:
		x.header(http.StatusOK, x.contentType())
		x.flush()
		return x.disconnect(true)
	}
	return nil
}

// silence sends the headers and then nothing, or nothing but keep-alives.
func (x *exchange) silence(d time.Duration) error {
	x.header(http.StatusOK, x.contentType())
	x.flush()
	if x.fault.Effect != KeepAlives {
		return x.wait(d)
	}
	line := ": keep-alive\n\n"
	switch {
	case !x.stream:
		line = "\n"
	case x.p.config.Kind == Anthropic:
		line = "event: ping\ndata: {\"type\": \"ping\"}\n\n"
	}
	interval := x.p.sim.opts.KeepAlive
	for waited := time.Duration(0); d == forever || waited < d; waited += interval {
		if err := x.write(line); err != nil {
			return err
		}
		if err := x.wait(interval); err != nil {
			return err
		}
	}
	return nil
}

// respond sends the fault's own response.
func (x *exchange) respond() error {
	f := x.fault
	status := f.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	if f.NoBody {
		x.header(status, "")
		x.complete = true
		return nil
	}
	if f.Body == "" {
		return x.sendError(f.errorFor(x.p.config.Kind, status))
	}
	x.header(status, "application/json")
	return x.finish(x.fill(f.Body))
}

// fill replaces the placeholders of a body, in which the model stands as it must in a JSON string.
func (x *exchange) fill(body string) string {
	model := encode(x.model)
	return strings.NewReplacer("{{model}}", model[1:len(model)-1], "{{request_id}}", x.id).Replace(body)
}

// sendError sends an error of the provider as a response.
func (x *exchange) sendError(e apiError) error {
	if x.p.config.Kind == Bedrock {
		x.w.Header().Set("X-Amzn-Errortype", e.kind+":http://internal.amazon.com/coral/com.amazon.bedrock/")
	}
	x.header(e.status, "application/json")
	return x.finish(x.fill(e.body(x.p.config.Kind)))
}

// contentType is the media type of a good answer.
func (x *exchange) contentType() string {
	if x.stream && x.p.config.Kind == Bedrock {
		return "application/vnd.amazon.eventstream"
	}
	if x.stream {
		return "text/event-stream; charset=utf-8"
	}
	return "application/json"
}

// header sends status and headers, once.
func (x *exchange) header(status int, contentType string) {
	if x.rec.Status != 0 {
		return
	}
	h := x.w.Header()
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	if x.stream && status == http.StatusOK {
		h.Set("Cache-Control", "no-cache")
	}
	x.p.providerHeaders(h, x)
	x.fault.applyHeaders(h)
	x.p.update(func() { x.rec.Status = status })
	x.w.WriteHeader(status)
}

// write sends a piece of the body at once.
func (x *exchange) write(s string) error {
	if x.ctx.Err() != nil {
		return errGone
	}
	if _, err := io.WriteString(x.w, s); err != nil {
		return err
	}
	x.flush()
	return nil
}

// finish sends the last piece of the body.
func (x *exchange) finish(s string) error {
	if x.ctx.Err() != nil {
		return errGone
	}
	if _, err := io.WriteString(x.w, s); err != nil {
		return err
	}
	x.complete = true
	return nil
}

// flush sends what is buffered. Writers that cannot flush have no use for it.
func (x *exchange) flush() { _ = http.NewResponseController(x.w).Flush() }

// orForever reads the delay of a fault whose zero value has no end.
func orForever(d time.Duration) time.Duration {
	if d == 0 {
		return forever
	}
	return d
}

// wait returns after d, or with an error when the exchange ends before that.
func (x *exchange) wait(d time.Duration) error {
	if d == 0 {
		return nil
	}
	var due <-chan time.Time
	if d != forever {
		t := time.NewTimer(d)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-due:
		return nil
	case <-x.ctx.Done():
		return errGone
	}
}

// disconnect ends the connection, with a TCP reset or in an orderly way. Where the connection cannot be had (HTTP/2),
// the error that it returns makes the server reset the stream.
func (x *exchange) disconnect(reset bool) error {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return errGone
	}
	if reset {
		abort(conn)
	}
	_ = conn.Close()
	x.complete = true // The provider ended it, not the client.
	return nil
}

// abort makes the close of a connection a reset. An in-memory connection may offer a method Reset for it.
func abort(conn net.Conn) {
	for {
		switch c := conn.(type) {
		case interface{ SetLinger(int) error }:
			_ = c.SetLinger(0)
			return
		case interface{ Reset() }:
			c.Reset()
			return
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return
		}
	}
}
