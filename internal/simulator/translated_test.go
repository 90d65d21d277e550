package simulator

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTranslatedRequestsAreTaken sends what the translators write, as their golden files hold it, to the providers that
// it is for. The two were written without a look at each other.
func TestTranslatedRequestsAreTaken(t *testing.T) {
	h := newSimulator(t, Options{}).Handler()
	for direction, to := range map[string]struct{ path, model string }{
		"chat-to-messages": {"/v1/messages", "claude-haiku-4-5"},
		"messages-to-chat": {"/v1/chat/completions", "gpt-4o"},

		"responses-to-messages": {"/v1/messages", "claude-haiku-4-5"},
		"responses-to-chat":     {"/v1/chat/completions", "gpt-4o"},
		"chat-to-responses":     {"/v1/responses", "gpt-4o"},
		"messages-to-responses": {"/v1/responses", "gpt-4o"},
	} {
		files, err := filepath.Glob(filepath.Join("..", "failover", "dialect", "testdata", direction, "request", "*", "output.json"))
		if err != nil || len(files) < 5 {
			t.Fatalf("%d golden files, %v", len(files), err)
		}
		for _, file := range files {
			t.Run(direction+"/"+filepath.Base(filepath.Dir(file)), func(t *testing.T) {
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				res, got := ask(t, h, request("POST", to.path, strings.Replace(string(body), `"entry-model"`, `"`+to.model+`"`, 1)))
				if res.StatusCode != http.StatusOK {
					t.Errorf("the provider refuses it: %d %s", res.StatusCode, got)
				}
			})
		}
	}
}
