package converse

import (
	"slices"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/schema"
)

// maxNameLength is the longest name of a tool.
const maxNameLength = 64

func (e *requestEncoder) name(field, name string) {
	if !neutral.IsWord(name) || len(name) > maxNameLength {
		e.refuse(field, "Bedrock takes up to 64 letters, digits, underscores and hyphens")
	}
}

// tools writes the tools and how they may be used. A history with calls needs
// them, and nothing forbids the model to use them: a request that does not want
// to be answered with a call is then somebody else's.
func (e *requestEncoder) tools(turns []neutral.Turn) {
	unwanted, field := e.req.Choice.Mode == neutral.None, "tool_choice"
	if len(e.req.Tools) == 0 {
		unwanted, field = true, "tools"
	}
	if unwanted {
		if slices.ContainsFunc(turns, usesTools) {
			e.refuse(field, "Bedrock cannot forbid a call in a conversation that has calls")
		}
		return
	}
	e.w.Key("toolConfig").Open('{').Key("tools").Open('[')
	for _, t := range e.req.Tools {
		e.tool(t)
		e.cachePoint(t.Cache)
	}
	e.w.Close(']')
	e.choice()
	e.w.Close('}')
}

func usesTools(t neutral.Turn) bool {
	return slices.ContainsFunc(t.Blocks, func(b neutral.Block) bool {
		return b.Kind == neutral.ToolCall || b.Kind == neutral.ToolResult
	})
}

func (e *requestEncoder) tool(t neutral.Tool) {
	e.name(t.Field+".name", t.Name)
	input, ok := schema.Object(t.Schema)
	if !ok {
		e.refuse(t.Field+".parameters", "Bedrock needs a schema of type object")
	}
	e.w.Open('{').Key("toolSpec").Open('{').Key("name").Text(t.Name)
	if t.Description != "" {
		e.w.Key("description").Text(t.Description)
	}
	e.w.Key("inputSchema").Open('{').Key("json").Raw(input).Close('}')
	if t.Strict {
		if _, exact, ok := schema.Restrict(input); exact && ok && e.caps.Claude && e.caps.Schema {
			e.w.Key("strict").Bool(true)
		} else {
			e.notes.Drop("tools.strict")
		}
	}
	e.w.Close('}').Close('}')
}

// serial reports whether the model is told in Anthropic's words to make one
// call at a time, since Converse has none for it.
func (e *requestEncoder) serial() bool {
	return e.req.SerialCalls && e.caps.Claude && len(e.req.Tools) > 0 && e.req.Choice.Mode != neutral.None
}

// choice writes how free the model is to call tools, unless that is said in
// Anthropic's words.
func (e *requestEncoder) choice() {
	c := e.req.Choice
	if !e.caps.ForcedTools && (c.Mode == neutral.Required || c.Mode == neutral.Named) {
		e.refuse("tool_choice", "this model cannot be made to call a tool")
	}
	if e.serial() {
		return
	}
	if e.req.SerialCalls {
		e.notes.Drop("parallel_tool_calls")
	}
	if c.Mode == neutral.Unset {
		return
	}
	words := map[neutral.Mode]string{neutral.Auto: "auto", neutral.Required: "any", neutral.Named: "tool"}
	e.w.Key("toolChoice").Open('{').Key(words[c.Mode]).Open('{')
	if c.Mode == neutral.Named {
		e.w.Key("name").Text(c.Name)
	}
	e.w.Close('}').Close('}')
}

// claudeChoice writes Anthropic's form of the choice. Whether it may stand
// beside Converse's own is not certain, so it stands alone.
func (e *requestEncoder) claudeChoice() {
	words := map[neutral.Mode]string{neutral.Unset: "auto", neutral.Auto: "auto", neutral.Required: "any", neutral.Named: "tool"}
	e.w.Key("tool_choice").Open('{').Key("type").Text(words[e.req.Choice.Mode])
	if e.req.Choice.Mode == neutral.Named {
		e.w.Key("name").Text(e.req.Choice.Name)
	}
	e.w.Key("disable_parallel_tool_use").Bool(true).Close('}')
}
