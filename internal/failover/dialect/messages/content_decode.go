package messages

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

func (d *requestDecoder) messages(list failover.RawJSON) {
	i := 0
	err := failover.EachElement(list, func(v failover.RawJSON) bool {
		d.message("messages["+strconv.Itoa(i)+"]", v)
		i++
		return d.err == nil
	})
	if err != nil {
		d.err = errNotRequest
	}
}

func (d *requestDecoder) message(field string, v failover.RawJSON) {
	if !v.IsObject() {
		d.err = errNotRequest
		return
	}
	t := neutral.Turn{Field: field}
	switch v.Member("role").Text() {
	case "user":
		t.Role = neutral.User
	case "assistant":
		t.Role = neutral.Assistant
	case "system":
		t.Role = neutral.System
	default:
		d.refuse(field+".role", "this role cannot be translated")
		return
	}
	t.Blocks = d.blocks(field+".content", v.Member("content"))
	d.req.Turns = append(d.req.Turns, t)
}

func (d *requestDecoder) systemBlocks(field string, v failover.RawJSON) []neutral.Block {
	blocks := d.blocks(field, v)
	for _, b := range blocks {
		if b.Kind != neutral.Text {
			d.refuse(b.Field, "a system prompt is text only")
		}
	}
	return blocks
}

// blocks reads a string or a list of blocks.
func (d *requestDecoder) blocks(field string, v failover.RawJSON) []neutral.Block {
	if v.IsString() {
		return []neutral.Block{{Field: field, Kind: neutral.Text, Text: v.Text()}}
	}
	if v.Present() && !v.IsArray() {
		d.err = errNotRequest
		return nil
	}
	var blocks []neutral.Block
	i := 0
	_ = failover.EachElement(v, func(block failover.RawJSON) bool {
		b, ok := d.block(field+"["+strconv.Itoa(i)+"]", block)
		i++
		if ok {
			blocks = append(blocks, b)
		}
		return d.err == nil
	})
	return blocks
}

// block reads one block. It reports false for one that is left out.
func (d *requestDecoder) block(field string, v failover.RawJSON) (neutral.Block, bool) {
	b := neutral.Block{Field: field, Cache: v.Member("cache_control").Present()}
	switch kind := v.Member("type").Text(); kind {
	case "text":
		b.Text = v.Member("text").Text()
		if cited := v.Member("citations"); cited.IsArray() && string(neutral.Compact(cited)) != "[]" {
			d.notes.Drop("messages.citations")
		}
	case "thinking", "redacted_thinking":
		return b, false // cannot be verified elsewhere
	case "image":
		b.Kind = neutral.Image
		b.Media = d.source(field, v.Member("source"))
	case "document":
		return d.document(field, v)
	case "search_result":
		return d.searchResult(field, v), true
	case "tool_use":
		b.Kind = neutral.ToolCall
		b.Call = neutral.Call{
			ID: v.Member("id").Text(), Name: v.Member("name").Text(),
			Arguments: string(neutral.Compact(v.Member("input"))),
		}
	case "tool_result":
		b.Kind = neutral.ToolResult
		b.Result = neutral.Result{
			CallID: v.Member("tool_use_id").Text(), IsError: v.Member("is_error").Bool(),
			Content: d.blocks(field+".content", v.Member("content")),
		}
	default:
		d.refuse(field+".type", "this kind of content lives at Anthropic only")
		return b, false
	}
	return b, true
}

func (d *requestDecoder) source(field string, v failover.RawJSON) neutral.Media {
	switch v.Member("type").Text() {
	case "base64":
		return neutral.Media{Type: v.Member("media_type").Text(), Data: v.Member("data").Text()}
	case "url":
		return neutral.Media{URL: v.Member("url").Text()}
	case "text":
		return neutral.Media{Type: "text/plain", Data: base64.StdEncoding.EncodeToString([]byte(v.Member("data").Text()))}
	}
	d.refuse(field+".source", "a file that lives at one provider cannot be sent to another")
	return neutral.Media{}
}

// document reads a document. One of blocks becomes text under its title, since
// no other dialect has such a thing.
func (d *requestDecoder) document(field string, v failover.RawJSON) (neutral.Block, bool) {
	title := v.Member("title").Text()
	if v.Member("citations").Member("enabled").Bool() {
		d.notes.Drop("messages.citations")
	}
	source := v.Member("source")
	if source.Member("type").Text() != "content" {
		media := d.source(field, source)
		media.Name = title
		return neutral.Block{Field: field, Kind: neutral.Document, Media: media, Cache: v.Member("cache_control").Present()}, true
	}
	d.notes.Approximate("messages.document")
	return d.titled(field, title, d.blocks(field+".source.content", source.Member("content"))), true
}

func (d *requestDecoder) searchResult(field string, v failover.RawJSON) neutral.Block {
	d.notes.Approximate("messages.search_result")
	title := v.Member("title").Text()
	if source := v.Member("source").Text(); source != "" {
		title = strings.TrimSpace(title + " (" + source + ")")
	}
	return d.titled(field, title, d.blocks(field+".content", v.Member("content")))
}

// titled joins blocks into one text under a title.
func (d *requestDecoder) titled(field, title string, blocks []neutral.Block) neutral.Block {
	var texts []string
	if title != "" {
		texts = append(texts, title)
	}
	for _, b := range blocks {
		if b.Kind != neutral.Text {
			d.refuse(b.Field, "a document that mixes text and images cannot be translated")
			continue
		}
		texts = append(texts, b.Text)
	}
	return neutral.Block{Field: field, Kind: neutral.Text, Text: strings.Join(texts, "\n\n")}
}
