package proxy

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

//go:embed status.html
var statusHTML string

// startGrace is how long a start may go without a chain. A pod must not wait
// for an API server that is away.
const startGrace = 10 * time.Second

// adminHandler serves probes, metrics and the status page: read-only, and
// nothing secret.
func (s *Server) adminHandler() http.Handler {
	page := template.Must(template.New("status").Funcs(template.FuncMap{
		"ago":  func(t *time.Time) string { return time.Since(*t).Round(time.Second).String() },
		"left": func(t *time.Time) string { return max(0, time.Until(*t)).Round(time.Second).String() },
	}).Parse(statusHTML))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /startupz", func(w http.ResponseWriter, _ *http.Request) {
		health(w, s.loaded() || time.Since(s.started) > startGrace)
	})
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { health(w, true) })
	// A provider's outage must not take the app out of its Service, so
	// readiness does not ask about providers.
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { health(w, s.loaded()) })
	mux.Handle("GET /metrics", s.opts.Metrics)
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.opts.Store.Load().Status()) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		var out bytes.Buffer
		err := page.Execute(&out, struct {
			failover.Status
			Version  string
			InFlight int64
			Uptime   time.Duration
		}{s.opts.Store.Load().Status(), s.opts.Version, s.InFlight(), time.Since(s.started).Round(time.Second)})
		if err != nil {
			http.Error(w, "the status page cannot be shown", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		w.Write(out.Bytes())
	})
	return mux
}

func (s *Server) loaded() bool { return len(s.opts.Store.Load().Chains()) > 0 }

func health(w http.ResponseWriter, ok bool) {
	if !ok {
		http.Error(w, "no chain is loaded yet", http.StatusServiceUnavailable)
		return
	}
	w.Write([]byte("ok\n"))
}
