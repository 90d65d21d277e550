package failover

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Evidence is everything that one fault showed of itself.
type Evidence struct {
	// Status, Header and Body are the provider's answer, where it came that
	// far: Body is its beginning, or the data of an error event. Status 0
	// means that there was no answer.
	Status int
	Header http.Header
	Body   []byte
	// Err is what the transport said, or one of the errors of this package
	// that say which timer fired or what was wrong with the content.
	Err error
	// AppModel tells that the app itself chose the model.
	AppModel bool
	Now      time.Time
}

// The faults that this package finds by itself, as causes and as errors.
var (
	errFirstByte  = errors.New("no response head in time")
	errFirstToken = errors.New("no content in time")
	errResponse   = errors.New("no answer in time")
	errIdle       = errors.New("silence after the answer had begun")
	errImpatient  = errors.New("the attempt's share of the app's patience is used up")
	errHTML       = errors.New("a page instead of an answer")
	errContent    = errors.New("content that is not the dialect's")
	errEncoding   = errors.New("a content coding that was not asked for")
	errEmpty      = errors.New("an answer without content")
	errInBand     = errors.New("an error in place of an answer")
	errTruncated  = errors.New("the answer ended before its end")

	// ErrShutdown is the cause with which the sidecar ends the requests that
	// are still open when its drain time is over.
	ErrShutdown = errors.New("the sidecar is shutting down")
)

// Classify decides what a fault means: one pure function over two tables, the
// first matching row of which wins. See classify_rows.go for the rows.
func Classify(ev Evidence) Verdict {
	f := factsOf(ev)
	if ev.Err != nil && !errors.Is(ev.Err, errInBand) {
		for i := range errorRows {
			if r := &errorRows[i]; r.match(ev.Err) {
				return r.verdict(f)
			}
		}
	}
	for i := range answerRows {
		if r := &answerRows[i]; r.matches(f) {
			return r.verdict(f)
		}
	}
	return unknownFault.verdict(f)
}

// facts are the words of a provider's error, decoded leniently: OpenAI's and
// Anthropic's bodies, and those of the many servers that imitate them.
type facts struct {
	status   int
	words    []string // error.type, error.code, error.status, what error.details says, and the name of AWS's exception
	said     string   // error.message
	message  string   // the same in lower case, for the phrases of the table
	param    string
	html     bool
	blocked  bool // a CDN's challenge
	aws      bool // an error in AWS's own form, whatever dialect was spoken
	appModel bool
	gaveUp   bool          // the model said that it broke off; the word is the last
	asked    time.Duration // the hint of Google's details
	hint     time.Duration
}

// maxErrorBody bounds how much of an error body is read to understand it.
const maxErrorBody = 64 << 10

func factsOf(ev Evidence) *facts {
	f := &facts{status: ev.Status, appModel: ev.AppModel}
	body := ev.Body[:min(len(ev.Body), maxErrorBody)]
	f.html = looksLikeHTML(ev.Header, body)
	f.blocked = ev.Header.Get("Cf-Mitigated") == "challenge" || f.html && isChallenge(body)
	inner, e := errorIn(body)
	switch {
	case e.IsObject():
		f.read(e)
	case e.IsString():
		f.say(e.Text())
	default:
		f.read(inner)
		f.readAWS(ev.Header, inner)
	}
	f.hint = retryHint(ev.Header, f.message, ev.Now)
	if f.hint == 0 {
		f.hint = f.asked
	}
	switch reason := gaveUp(inner); {
	case !errors.Is(ev.Err, errInBand):
	case !e.Present() && reason != "":
		f.gaveUp, f.words = true, append(f.words, reason)
	default:
		f.status = f.innerStatus()
	}
	return f
}

// errorIn finds the error of a body: an object or a string, absent where there
// is none. inner is the body itself, or what it wraps: some servers put the
// error into a list, and some events tell of a failed response.
func errorIn(body []byte) (inner, e RawJSON) {
	inner = RawJSON(bytes.TrimSpace(body))
	if inner.IsArray() {
		_ = EachElement(inner, func(v RawJSON) bool { inner = v; return false })
	}
	if e = inner.Member("error"); !e.Present() {
		e = inner.Member("response").Member("error")
	}
	return inner, e
}

// gaveUp is the word with which a Gemini model says why it broke off its
// answer; empty for other bodies.
func gaveUp(answer RawJSON) string {
	var reason string
	_ = EachElement(answer.Member("candidates"), func(c RawJSON) bool {
		reason = c.Member("finishReason").Text()
		return false
	})
	return reason
}

// saysWhy reports whether content that is no answer tells itself what went
// wrong.
func saysWhy(body []byte) bool {
	inner, e := errorIn(body)
	return e.Present() || gaveUp(inner) != ""
}

// read takes the words out of an error object.
func (f *facts) read(e RawJSON) {
	details := e.Member("details")
	for _, w := range []RawJSON{e.Member("type"), e.Member("code"), details.Member("error_code")} {
		switch text := w.Text(); {
		case text != "":
			f.words = append(f.words, text)
		case w.Present() && !w.IsObject() && !w.IsArray():
			f.words = append(f.words, string(w)) // a numeric code
		}
	}
	_ = EachElement(details, func(d RawJSON) bool { f.word(d.Member("reason")); return true })
	f.word(e.Member("status"))
	_ = EachElement(details, func(d RawJSON) bool { f.limits(d); return true })
	f.say(e.Member("message").Text())
	f.param = e.Member("param").Text()
}

// readAWS adds what an error of AWS's own form says: the exception's name stands
// in a header, or in the body of what a stream was ended with, and may have a
// namespace around it.
func (f *facts) readAWS(h http.Header, body RawJSON) {
	f.aws = h.Get("X-Amzn-Errortype") != ""
	for _, name := range []string{h.Get("X-Amzn-Errortype"), body.Member("__type").Text(), body.Member("type").Text()} {
		name, _, _ = strings.Cut(name, ":")
		name = name[strings.LastIndexByte(name, '#')+1:]
		if !strings.HasSuffix(name, "Exception") {
			continue
		}
		f.words = slices.DeleteFunc(f.words, func(w string) bool { return strings.EqualFold(w, name) })
		f.words = append(f.words, strings.ToUpper(name[:1])+name[1:])
	}
	if f.said == "" {
		f.say(body.Member("Message").Text())
	}
}

// word adds a word, if it is one.
func (f *facts) word(v RawJSON) {
	if text := v.Text(); text != "" {
		f.words = append(f.words, text)
	}
}

// limits reads one of the details of Google's errors: when to come back, and
// which quotas are used up.
func (f *facts) limits(detail RawJSON) {
	if delay, err := time.ParseDuration(detail.Member("retryDelay").Text()); err == nil && delay > 0 {
		f.asked = min(delay, maxHint)
	}
	_ = EachElement(detail.Member("violations"), func(v RawJSON) bool { f.word(v.Member("quotaId")); return true })
}

func (f *facts) say(message string) { f.said, f.message = message, strings.ToLower(message) }

// innerStatus finds the status that an error inside a 200 would have had: a
// numeric code, else what its code means, which says more than its type.
func (f *facts) innerStatus() int {
	for _, w := range f.words {
		if n, err := strconv.Atoi(w); err == nil && n >= 400 && n <= 599 {
			return n
		}
	}
	for _, w := range slices.Backward(f.words) {
		if n, ok := statusOfType[w]; ok {
			return n
		}
	}
	return http.StatusInternalServerError
}

func looksLikeHTML(h http.Header, body []byte) bool {
	if strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "text/html") {
		return true
	}
	start := bytes.ToLower(bytes.TrimLeft(body[:min(len(body), 512)], " \t\r\n\ufeff"))
	return bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html"))
}

func isChallenge(body []byte) bool {
	page := bytes.ToLower(body)
	return slices.ContainsFunc([]string{"just a moment", "attention required", "error 1020", "error 1015", "cf-chl"}, func(mark string) bool {
		return bytes.Contains(page, []byte(mark))
	})
}

// detail is what people are shown: the status and the most telling word. Only
// characters of identifiers pass, since it is foreign text.
func (f *facts) detail() string {
	var parts []string
	if f.status > 0 {
		parts = append(parts, strconv.Itoa(f.status))
	}
	for _, w := range f.words {
		if _, err := strconv.Atoi(w); err == nil || len(w) > 60 || w == "error" {
			continue
		}
		if strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == "" {
			parts = append(parts, w)
			break
		}
	}
	return strings.Join(parts, " ")
}
