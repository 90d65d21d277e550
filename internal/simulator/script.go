package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Script is what a provider will answer, read from the last message of the conversation.
//
// When that message is the user's and its first line begins with one of the words below, each line is a command; a
// line that begins with another word goes on with the text of the line before. The commands:
//
//	say TEXT        answer with this text
//	echo            answer with the rest of the message as it came
//	tool NAME JSON  call this tool with these arguments; several lines make parallel calls. A tool that the request
//	                does not offer is named in a text instead
//	think TEXT      think this before the answer
//	refuse TEXT     refuse with this text
//	tokens N        answer with a text of N tokens, at most 100,000
//	stop REASON     end with this finish_reason or stop_reason, written as is
//	cached N        report up to N prompt tokens as read from the cache
//
// Any other user message is answered with one sentence that names the provider and the model. A tool's result is
// answered with a text that repeats it. With a tool_choice that forces a call, and no tool command, the forced or the
// first tool is called with no arguments.
type Script struct {
	Parts  []Part
	Stop   string // Forced reason, or "".
	Cached int
}

// Part is one piece of an answer.
type Part struct {
	Kind PartKind
	Text string // Text, thought or refusal; the arguments' JSON of a call.
	Name string // The tool's name.
}

// PartKind tells the pieces of an answer apart.
type PartKind int

// The kinds of [Part].
const (
	TextPart PartKind = iota
	ThoughtPart
	RefusalPart
	CallPart
)

// prompt is what the dialects read from a request for [readScript].
type prompt struct {
	provider, model string
	user            string   // Text of the last message, if it is the user's.
	result          *string  // Text of the last message's tool results, if it has any.
	tools           []string // Names of the tools that may be called.
	forced          string   // Name of the tool that must be called, "*" for any.
	chars           int      // Characters of the whole prompt.
}

// maxTokensAsked bounds the command tokens.
const maxTokensAsked = 100_000

// commands are the first words of a script's lines.
var commands = []string{"say", "echo", "tool", "think", "refuse", "tokens", "stop", "cached"}

// readScript decides the answer to a prompt.
func readScript(p prompt) Script {
	var s Script
	switch {
	case isScript(p.user):
		s = parseScript(p)
	case p.result != nil:
		s.text("The tool answered: " + *p.result)
	default:
		s.text(fmt.Sprintf("Hello from %s: this is %s, and your request arrived.", p.provider, p.model))
	}
	called := slices.ContainsFunc(s.Parts, func(part Part) bool { return part.Kind == CallPart })
	if p.forced != "" && !called && len(p.tools) > 0 {
		name := p.forced
		if name == "*" {
			name = p.tools[0]
		}
		s.Parts = []Part{{Kind: CallPart, Name: name, Text: "{}"}}
	}
	return s
}

// isScript reports whether a message begins with a command.
func isScript(text string) bool {
	line, _, _ := strings.Cut(text, "\n")
	word, rest, _ := strings.Cut(line, " ")
	return slices.Contains(commands, word) && (word == "echo" || rest != "")
}

// parseScript reads the commands.
func parseScript(p prompt) Script {
	var s Script
	lines := strings.Split(p.user, "\n")
	for i, line := range lines {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "say":
			s.text(rest)
		case "echo":
			s.text(strings.Join(lines[i+1:], "\n"))
			return s
		case "think":
			s.Parts = append(s.Parts, Part{Kind: ThoughtPart, Text: rest})
		case "refuse":
			s.Parts = append(s.Parts, Part{Kind: RefusalPart, Text: rest})
		case "stop":
			s.Stop = strings.TrimSpace(rest)
		case "tokens":
			n, _ := strconv.Atoi(strings.TrimSpace(rest))
			s.text(strings.TrimSpace(strings.Repeat("word ", min(max(n, 0), maxTokensAsked))))
		case "cached":
			s.Cached, _ = strconv.Atoi(strings.TrimSpace(rest))
		case "tool":
			s.call(p, rest)
		default:
			s.more(line)
		}
	}
	return s
}

// text adds a text, if there is any.
func (s *Script) text(text string) {
	if text != "" {
		s.Parts = append(s.Parts, Part{Kind: TextPart, Text: text})
	}
}

// more adds a line to the text before.
func (s *Script) more(line string) {
	if n := len(s.Parts); n > 0 && s.Parts[n-1].Kind != CallPart {
		s.Parts[n-1].Text += "\n" + line
		return
	}
	s.text(line)
}

// call adds a tool call.
func (s *Script) call(p prompt, rest string) {
	name, args, _ := strings.Cut(strings.TrimSpace(rest), " ")
	args = strings.TrimSpace(args)
	if args == "" {
		args = "{}"
	}
	var object map[string]any
	switch {
	case !slices.Contains(p.tools, name):
		s.text("There is no tool " + name + ".")
	case json.Unmarshal([]byte(args), &object) != nil:
		s.text("These arguments are not a JSON object: " + args)
	default:
		s.Parts = append(s.Parts, Part{Kind: CallPart, Name: name, Text: args})
	}
}

// tokens cuts a text into the pieces in which it is streamed. Together they are the text; no character is cut.
func tokens(text string) []string {
	var out []string
	start, runes := 0, 0
	for i, r := range text {
		if i > start && (r == ' ' || runes >= 8) {
			out = append(out, text[start:i])
			start, runes = i, 0
		}
		runes++
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}

// limit shortens the script to the request's own bounds: maxTokens (0: none) and stop sequences, in texts. It returns
// the stop sequence that was met and whether the tokens ran out.
func (s *Script) limit(maxTokens int, stops []string) (stop string, short bool) {
	left := maxTokens
	for i := range s.Parts {
		part := &s.Parts[i]
		if part.Kind == TextPart {
			for _, sequence := range stops {
				if at := strings.Index(part.Text, sequence); sequence != "" && at >= 0 {
					part.Text, stop = part.Text[:at], sequence
				}
			}
		}
		pieces := tokens(part.Text)
		if maxTokens > 0 && len(pieces) > left {
			part.Text = strings.Join(pieces[:left], "")
			s.Parts = s.Parts[:i+1]
			return "", true
		}
		left -= len(pieces)
		if stop != "" {
			s.Parts = s.Parts[:i+1]
			return stop, false
		}
	}
	return "", false
}

// usage counts a prompt and its answer.
type usage struct{ prompt, cached, completion, reasoning int }

// count makes up the token counts of an answer: a prompt token is four characters, an answer's token a streamed piece.
func (s *Script) count(p prompt) usage {
	u := usage{prompt: p.chars/4 + 1}
	u.cached = min(max(s.Cached, 0), u.prompt-1)
	for _, part := range s.Parts {
		n := len(tokens(part.Text))
		u.completion += n
		if part.Kind == ThoughtPart {
			u.reasoning += n
		}
	}
	return u
}

// chars counts the characters of all strings in a JSON value, as the size of a prompt.
func chars(v any) int {
	n := 0
	switch v := v.(type) {
	case string:
		return utf8.RuneCountInString(v)
	case []any:
		for _, e := range v {
			n += chars(e)
		}
	case map[string]any:
		for _, e := range v {
			n += chars(e)
		}
	}
	return n
}
