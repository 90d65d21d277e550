package dialect

import (
	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/models"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// codec is the way of one dialect from and to the neutral form. A dialect that
// only entries speak has no decodeRequest, encodeAnswer and encodeStream, and
// one that only apps speak lacks the others.
type codec struct {
	decodeRequest func(body []byte, notes *neutral.Notes) (*neutral.Request, error)
	encodeRequest func(r *neutral.Request, t neutral.Target, notes *neutral.Notes) ([]byte, error)
	decodeAnswer  func(body []byte) (*neutral.Answer, error)
	encodeAnswer  func(a *neutral.Answer) []byte
	decodeStream  func() neutral.StreamDecoder
	encodeStream  func(model string, withUsage bool) neutral.StreamEncoder
}

// translation implements failover.Translation.
type translation struct {
	app, entry  codec
	body        []byte
	notes       neutral.Notes
	model       string
	streamUsage bool
	echo        []neutral.Param
}

func newTranslation(app, entry codec, body []byte, o failover.TranslateOptions) (*translation, error) {
	t := &translation{app: app, entry: entry, model: o.Model}
	if err := t.request(body, o, nil); err != nil {
		return nil, err
	}
	return t, faithful(o.Fidelity, &t.notes)
}

// request makes the entry's request of the app's. Under Lenient it begins anew
// without what the entry refused, as often as that helps.
func (t *translation) request(body []byte, o failover.TranslateOptions, refused []error) error {
	t.notes = neutral.Notes{}
	req, err := t.app.decodeRequest(body, &t.notes)
	if err != nil {
		return err
	}
	for _, r := range refused {
		if !relaxed(req, r, &t.notes) {
			return r
		}
	}
	t.streamUsage, t.echo = req.StreamUsage, req.Echo
	t.body, err = t.entry.encodeRequest(req, neutral.Target{Model: o.Model, Quirks: o.Quirks, Caps: models.Of(o.Model)}, &t.notes)
	if err != nil && o.Fidelity == failover.Lenient {
		return t.request(body, o, append(refused, err))
	}
	return err
}

// Body implements failover.Translation.
func (t *translation) Body() []byte { return t.body }

// Degraded implements failover.Translation.
func (t *translation) Degraded() failover.Degraded { return t.notes.Degraded }

// Answer implements failover.Translation.
func (t *translation) Answer(body []byte) ([]byte, error) {
	a, err := t.entry.decodeAnswer(body)
	if err != nil {
		return nil, err
	}
	if a.Model == "" {
		a.Model = t.model
	}
	a.Echo = t.echo
	return t.app.encodeAnswer(a), nil
}

// Stream implements failover.Translation.
func (t *translation) Stream() failover.StreamTranslation {
	return &streamTranslation{decoder: t.entry.decodeStream(), encoder: t.app.encodeStream(t.model, t.streamUsage), echo: t.echo}
}

// streamTranslation implements failover.StreamTranslation.
type streamTranslation struct {
	decoder neutral.StreamDecoder
	encoder neutral.StreamEncoder
	echo    []neutral.Param
	events  []neutral.Event // scratch
	done    bool
}

// Feed implements failover.StreamTranslation. Usage is reported as soon as the
// provider tells it, whether or not the app sees it then.
func (s *streamTranslation) Feed(dst []byte, ev failover.Event) ([]byte, failover.Progress) {
	events, kind := s.decoder.Decode(s.events[:0], ev)
	s.events = events
	if kind == failover.Failed || kind == failover.Malformed {
		return dst, failover.Progress{Kind: kind}
	}
	return s.encode(dst)
}

func (s *streamTranslation) encode(dst []byte) ([]byte, failover.Progress) {
	p := failover.Progress{Kind: failover.Lifecycle}
	for _, ev := range s.events {
		if ev.Kind == neutral.Start {
			ev.Echo = s.echo
		}
		var payload bool
		dst, payload = s.encoder.Encode(dst, ev)
		switch {
		case ev.Kind == neutral.Done:
			s.done = true
			p.Kind = failover.Finished
		case payload && p.Kind == failover.Lifecycle:
			p.Kind = failover.Content
		}
		if ev.Kind == neutral.UsageKnown {
			p.Usage = ev.Usage.Count()
		}
	}
	return dst, p
}

// Finish implements failover.StreamTranslation.
func (s *streamTranslation) Finish(dst []byte) ([]byte, bool) {
	if s.done {
		return dst, true
	}
	events, ok := s.decoder.End(s.events[:0])
	if !ok {
		return dst, false
	}
	s.events = events
	dst, _ = s.encode(dst)
	return dst, s.done
}

// Fail implements failover.StreamTranslation.
func (s *streamTranslation) Fail(dst []byte, e failover.AppError) ([]byte, bool) {
	f, ok := s.encoder.(neutral.Failer)
	if !ok {
		return dst, false
	}
	return f.Fail(dst, e), true
}
