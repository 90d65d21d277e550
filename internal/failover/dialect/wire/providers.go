package wire

import "github.com/understudy-dev/understudy/internal/failover"

// Providers writes the member of an error object that tells why no provider
// answered, where there is something to tell. It is the same in every dialect.
func Providers(w *Writer, providers []failover.ProviderReason) {
	if len(providers) == 0 {
		return
	}
	w.Key("providers").Open('[')
	for _, p := range providers {
		w.Open('{').Key("provider").Text(p.Provider).Key("reason").Text(string(p.Reason)).Close('}')
	}
	w.Close(']')
}
