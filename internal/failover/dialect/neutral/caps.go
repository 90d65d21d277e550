package neutral

// Caps is what a model accepts beyond its dialect. The zero value is the
// careful reading for a model that is not known: what could be refused is left
// out.
type Caps struct {
	// Claude tells that the model takes Anthropic's own members, where another
	// dialect lets them through.
	Claude bool
	// Reasoning is how the model is told to think.
	Reasoning ReasoningStyle
	// ThinkingOff tells that thinking can be switched off where Reasoning is
	// not ReasoningNone.
	ThinkingOff bool
	// Sampling tells that temperature, top_p and top_k may be sent.
	Sampling bool
	// ForcedTools tells that a call of a tool may be demanded.
	ForcedTools bool
	// Schema tells that an answer may be bound to a JSON schema.
	Schema bool
	// Prefill tells that the model continues an assistant's last turn.
	Prefill bool
	// SystemTurns tells that instructions may stand between turns.
	SystemTurns bool
	// Stop tells that stop sequences may be sent.
	Stop bool
	// MaxTokens is the largest answer in tokens; 0: unknown.
	MaxTokens int64
	// Penalties tells that frequency and presence penalties may be sent to a
	// model that has them in its native dialect.
	Penalties bool
	// SchemaWithTools tells that an answer may be bound to JSON while tools are
	// offered.
	SchemaWithTools bool
	// Signatures tells that the model refuses its own calls in a history that
	// come without the signature of the thought behind them.
	Signatures bool
	// CallIDs tells that the model insists on the ids of calls in a history,
	// which its older siblings do not know.
	CallIDs bool
	// MinimalLevel and MediumLevel are levels of reasoning that some models
	// lack, beside low and high, which all know that are told a level.
	MinimalLevel, MediumLevel bool
}

// ReasoningStyle is how a model is told how much to think.
type ReasoningStyle uint8

// The styles.
const (
	ReasoningNone   ReasoningStyle = iota // it is not told
	ReasoningEffort                       // by a level
	ReasoningBudget                       // by a number of tokens
)
