package v1alpha1

// Notifications says who is told.
type Notifications struct {
	// slack posts to one channel.
	// +optional
	Slack *Slack `json:"slack,omitempty"`
}

// Slack addresses one channel, by an incoming webhook or by a bot token.
//
// +kubebuilder:validation:XValidation:rule=`has(self.webhookURL) != has(self.token)`,message="not exactly one way to reach Slack: write either webhookURL, or token and channel"
// +kubebuilder:validation:XValidation:rule=`!has(self.token) || (has(self.channel) && self.channel != "")`,message="token has no channel to post to: write one, such as \"#llm-ops\"",fieldPath=".channel",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule=`!has(self.webhookURL) || !has(self.channel) || self.channel == ""`,message="an incoming webhook posts to a channel of its own: leave channel out, or write token instead of webhookURL",fieldPath=".channel"
type Slack struct {
	// webhookURL is the address of an incoming webhook, which is a secret.
	// +optional
	WebhookURL *SecretValue `json:"webhookURL,omitempty"`

	// token of a bot that may post to channel.
	// +optional
	Token *SecretValue `json:"token,omitempty"`

	// channel that the bot posts to, by name or ID.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Channel string `json:"channel,omitempty"`

	// events that are posted. Default: all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Events []Event `json:"events,omitempty"`

	// repeatInterval is the time after which an incident that still lasts is
	// posted again. Default: 4h.
	// +optional
	RepeatInterval Duration `json:"repeatInterval,omitempty"`
}

// SecretValue is a value that only a Secret may hold.
type SecretValue struct {
	// secretKeyRef names a key of a Secret in the chain's namespace.
	// +required
	SecretKeyRef SecretKeyRef `json:"secretKeyRef"`
}

// Event is something that people are told about.
//
// +kubebuilder:validation:Enum=Failover;Recovery;Exhausted;ProviderUnhealthy;ConfigRejected
type Event string

// The events.
const (
	// EventFailover: another provider answers than before, because one failed.
	EventFailover Event = "Failover"
	// EventRecovery: a provider that had failed is back.
	EventRecovery Event = "Recovery"
	// EventExhausted: no provider could answer.
	EventExhausted Event = "Exhausted"
	// EventProviderUnhealthy: a provider that is not the active one fails.
	EventProviderUnhealthy Event = "ProviderUnhealthy"
	// EventConfigRejected: a new generation of the chain is not used.
	EventConfigRejected Event = "ConfigRejected"
)
