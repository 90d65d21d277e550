package openai

import (
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// Mode reads a word of tool_choice. An unknown word is Unset.
func Mode(word string) neutral.Mode {
	switch word {
	case "auto":
		return neutral.Auto
	case "none":
		return neutral.None
	case "required":
		return neutral.Required
	}
	return neutral.Unset
}

// Arguments reads arguments, which some servers send as an object instead
// of a string.
func Arguments(v failover.RawJSON) string {
	if v.IsObject() {
		return string(v)
	}
	return v.Text()
}

// Media reads a data URL, or takes the text as an address. A data URL whose
// payload is not base64 stays an address, which encoders refuse.
func Media(url string) neutral.Media {
	rest, isData := strings.CutPrefix(url, "data:")
	head, data, hasData := strings.Cut(rest, ",")
	if !isData || !hasData {
		return neutral.Media{URL: url}
	}
	params := strings.Split(head, ";")
	if strings.TrimSpace(params[len(params)-1]) != "base64" {
		return neutral.Media{URL: url}
	}
	kind := strings.ToLower(strings.TrimSpace(params[0]))
	if kind == "image/jpg" {
		kind = "image/jpeg"
	}
	if kind == "" {
		kind = MediaType(data)
	}
	return neutral.Media{Type: kind, Data: data}
}

// MediaType tells the media type by the first bytes of base64 text, for data URLs
// that name none.
func MediaType(data string) string {
	for prefix, kind := range map[string]string{
		"iVBORw0KGgo": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp", "JVBERi": "application/pdf",
	} {
		if strings.HasPrefix(data, prefix) {
			return kind
		}
	}
	return ""
}
