package gemini

import (
	"strings"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// maxNameLength is the longest name of a tool.
const maxNameLength = 64

// name refuses what Gemini takes for no name: it begins with a letter or an
// underscore, and may hold dots and hyphens behind it.
func (e *requestEncoder) name(field, name string) {
	rest := strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
	if name == "" || len(name) > maxNameLength || rest != "" || strings.ContainsAny(name[:1], "0123456789.-") {
		e.refuse(field, "Gemini takes up to 64 letters, digits, underscores, dots and hyphens, and a letter or an underscore first")
	}
}

// tools writes the tools and how they may be used. A choice without tools is
// left out. That several calls are unwanted cannot be said.
func (e *requestEncoder) tools() {
	if len(e.req.Tools) == 0 {
		return
	}
	e.w.Key("tools").Open('[').Open('{').Key("functionDeclarations").Open('[')
	for _, t := range e.req.Tools {
		e.tool(t)
	}
	e.w.Close(']').Close('}').Close(']')
	if e.req.SerialCalls && e.req.Choice.Mode != neutral.None {
		e.notes.Drop("parallel_tool_calls")
	}
	e.choice()
}

func (e *requestEncoder) tool(t neutral.Tool) {
	e.name(t.Field+".name", t.Name)
	e.w.Open('{').Key("name").Text(t.Name)
	if t.Description != "" {
		e.w.Key("description").Text(t.Description)
	}
	switch {
	case !t.Schema.Present():
	case !t.Schema.IsObject():
		e.refuse(t.Field+".parameters", "Gemini needs a schema that is an object")
	case string(neutral.Compact(t.Schema)) != "{}":
		e.w.Key("parametersJsonSchema").Raw(cleanSchema(t.Schema))
	}
	e.w.Close('}')
	if t.Strict {
		e.notes.Drop("tools.strict")
	}
}

func (e *requestEncoder) choice() {
	c := e.req.Choice
	if !e.caps.ForcedTools && (c.Mode == neutral.Required || c.Mode == neutral.Named) {
		e.refuse("tool_choice", "this model cannot be made to call a tool")
	}
	word := map[neutral.Mode]string{neutral.Auto: "AUTO", neutral.None: "NONE", neutral.Required: "ANY", neutral.Named: "ANY"}[c.Mode]
	if word == "" {
		return
	}
	e.w.Key("toolConfig").Open('{').Key("functionCallingConfig").Open('{').Key("mode").Text(word)
	if c.Mode == neutral.Named {
		e.w.Key("allowedFunctionNames").Open('[').Text(c.Name).Close(']')
	}
	e.w.Close('}').Close('}')
}
