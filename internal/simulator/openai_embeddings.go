package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"math"
	"net/http"
)

// defaultDimensions is the length of text-embedding-3-small's vectors.
const defaultDimensions = 1536

// embedding is one vector of an answer.
type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"`
}

// embeddings answers POST /v1/embeddings. Equal inputs get equal vectors, of length one.
func (x *exchange) embeddings(o object) error {
	inputs, e := checkEmbeddings(o)
	if e != nil {
		return x.sendError(*e)
	}
	if !x.p.knows(x.model) {
		return x.sendError((&Fault{}).errorFor(OpenAI, http.StatusNotFound))
	}
	dimensions, ok := integer(o["dimensions"])
	if !ok {
		dimensions = defaultDimensions
	}
	var out struct {
		Object string      `json:"object"`
		Data   []embedding `json:"data"`
		Model  string      `json:"model"`
		Usage  struct {
			PromptTokens int `json:"prompt_tokens"`
			TotalTokens  int `json:"total_tokens"`
		} `json:"usage"`
	}
	out.Object, out.Model, out.Data = "list", x.model, []embedding{}
	empty := encode(out)
	for i, input := range inputs {
		v := vector(input, dimensions)
		var wire any = v
		if str(o, "encoding_format") == "base64" {
			var raw []byte
			for _, f := range v {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
			}
			wire = base64.StdEncoding.EncodeToString(raw)
		}
		out.Data = append(out.Data, embedding{"embedding", i, wire})
		out.Usage.PromptTokens += len(input)/4 + 1
	}
	out.Usage.TotalTokens = out.Usage.PromptTokens
	x.stream = false
	return x.play(reply{unary: encode(out), empty: empty})
}

// checkEmbeddings checks the request and returns each input as text.
func checkEmbeddings(o object) ([]string, *apiError) {
	if str(o, "model") == "" {
		return nil, invalid("", "", "you must provide a model parameter")
	}
	if name := unknown(o, embeddingsFields); name != "" {
		return nil, invalid("", "", "Unrecognized request argument supplied: %s", name)
	}
	if e := checkPositive(o, "dimensions"); e != nil {
		return nil, e
	}
	if n, _ := integer(o["dimensions"]); n > 3072 {
		return nil, invalid("dimensions", "", "Invalid value for 'dimensions' = %d. Must be less than or equal to 3072.", n)
	}
	if f := o["encoding_format"]; f != nil && f != "float" && f != "base64" {
		return nil, invalid("encoding_format", "invalid_value", "Invalid value for 'encoding_format'. Supported values are: 'float' and 'base64'.")
	}
	var inputs []string
	switch v := o["input"].(type) {
	case nil:
		return nil, missing("input")
	case string:
		inputs = []string{v}
	case []any:
		inputs = embeddingInputs(v)
	}
	if len(inputs) == 0 || inputs[0] == "" {
		return nil, invalid("input", "", "Invalid 'input': expected a non-empty string, an array of strings, or arrays of tokens.")
	}
	return inputs, nil
}

// embeddingInputs reads a list of strings, of token lists, or of tokens, which are one input.
func embeddingInputs(v []any) []string {
	var inputs []string
	flat := len(v) > 0
	for _, item := range v {
		if _, ok := integer(item); !ok {
			flat = false
		}
		switch item := item.(type) {
		case string:
			inputs = append(inputs, item)
		case []any:
			inputs = append(inputs, encode(item))
		}
	}
	if flat {
		return []string{encode(v)}
	}
	return inputs
}

// vector makes up a vector of length one from a text.
func vector(text string, dimensions int) []float32 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	state, sum := h.Sum64()|1, 0.0
	raw := make([]float64, dimensions)
	for i := range raw {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		raw[i] = float64(int64(state)) / math.MaxInt64
		sum += raw[i] * raw[i]
	}
	out := make([]float32, dimensions)
	for i, f := range raw {
		out[i] = float32(f / math.Sqrt(sum))
	}
	return out
}
