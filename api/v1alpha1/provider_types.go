package v1alpha1

import "k8s.io/apimachinery/pkg/runtime"

// Provider is one entry of a chain.
//
// +kubebuilder:validation:XValidation:rule=`!(self.type in ['OpenAICompatible', 'AzureOpenAI']) || (has(self.baseURL) && self.baseURL != "")`,messageExpression="'provider ' + self.name + ' of type ' + self.type + ' has no address: write baseURL, such as ' + (self.type == 'AzureOpenAI' ? 'https://NAME.openai.azure.com' : 'https://llm.example.com/v1')",fieldPath=".baseURL",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule=`!has(self.baseURL) || self.baseURL == "" || (isURL(self.baseURL) && url(self.baseURL).getScheme() in ['http', 'https'] && url(self.baseURL).getHostname() != "")`,messageExpression="'the address of provider ' + self.name + ' is not an http or https URL with a host: write one such as https://llm.example.com/v1'",fieldPath=".baseURL"
// +kubebuilder:validation:XValidation:rule=`!has(self.baseURL) || !self.baseURL.matches('[?#]|^[^/?#]*//[^/?#]*@') || (self.type == 'AzureOpenAI' && self.baseURL.matches('^[^?#@]*[?]api-version=[-a-zA-Z0-9]+$'))`,messageExpression="'the address of provider ' + self.name + ' holds a user, a query or a fragment: write only scheme, host and path, and put the key under auth'",fieldPath=".baseURL"
// +kubebuilder:validation:XValidation:rule=`(!has(self.auth) && !(self.type in ['Bedrock', 'Gemini'])) || !has(self.baseURL) || !self.baseURL.matches('(?i)^http:') || self.baseURL.matches('(?i)^http://(localhost|([-_a-z0-9]+[.])+svc([.][-_a-z0-9.]*)?|(127|10)([.][0-9]{1,3}){3}|172[.](1[6-9]|2[0-9]|3[01])([.][0-9]{1,3}){2}|192[.]168([.][0-9]{1,3}){2}|[[]::1]|[[]f[cd][0-9a-f]{2}:[0-9a-f:]*])(:[0-9]*)?(/|$)')`,messageExpression="'the key of provider ' + self.name + ' would cross the network in clear text: write https:// instead of http://, which is only for localhost, names ending in .svc or holding .svc., and private addresses'",fieldPath=".baseURL"
// +kubebuilder:validation:XValidation:rule=`self.type in ['OpenAICompatible', 'Bedrock'] || has(self.auth) || (self.type == 'Gemini' && has(self.baseURL) && self.baseURL.matches('/projects/[^/]+/locations/[^/]+'))`,messageExpression="'provider ' + self.name + ' of type ' + self.type + ' has no key: write auth: {secretKeyRef: {name: llm-keys, key: ' + self.name + '}}, with the name and key of your Secret'",fieldPath=".auth",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule=`!has(self.tls) || (has(self.baseURL) && self.baseURL.matches('(?i)^https:'))`,messageExpression="'provider ' + self.name + ' has tls but no https address of its own: write an https:// address into baseURL, or leave tls out'",fieldPath=".tls"
// +kubebuilder:validation:XValidation:rule=`!has(self.dialects) || self.dialects.all(d, (d != 'Gemini' || self.type == 'Gemini') && (d != 'BedrockConverse' || self.type == 'Bedrock'))`,messageExpression="'provider ' + self.name + ' of type ' + self.type + ' cannot speak all of its dialects: write Gemini for type Gemini and BedrockConverse for type Bedrock alone'",fieldPath=".dialects"
type Provider struct {
	// name of the provider in metrics, headers and messages.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')`,message="not a DNS label: write lower-case letters, digits and '-' only, such as openai-backup"
	Name string `json:"name"`

	// type fixes the default address, the way of authentication and the default
	// dialects.
	// +required
	Type ProviderType `json:"type"`

	// model that the provider is asked for. Empty: the app's own model.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Model string `json:"model,omitempty"`

	// modelMap replaces single models of the app by models of the provider. It
	// wins over model where from equals the app's model.
	// +optional
	// +listType=map
	// +listMapKey=from
	// +kubebuilder:validation:MaxItems=64
	ModelMap []ModelMapping `json:"modelMap,omitempty"`

	// baseURL is what the type's official SDK takes: with /v1 for OpenAI and
	// OpenAICompatible, without for Anthropic. /v1 is added only where the path
	// is empty. AzureOpenAI takes https://NAME.openai.azure.com, with
	// /openai?api-version=DATE for the dated API, and
	// https://NAME.services.ai.azure.com/anthropic for Claude. Gemini speaks
	// its own API, and under .../openai the one that imitates OpenAI's; Vertex AI
	// is .../v1/projects/PROJECT/locations/LOCATION, with /publishers/anthropic
	// for Claude. Bedrock takes a bedrock-runtime or bedrock-mantle host,
	// whose name tells the region. Default: the public address of the type, for
	// Bedrock that of the sidecar's AWS_REGION; required for OpenAICompatible
	// and AzureOpenAI.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	BaseURL string `json:"baseURL,omitempty"`

	// auth says where the provider's key is found. Required unless the type is
	// OpenAICompatible, or the sidecar has an identity of its own for it: on
	// Bedrock and on Vertex AI. Bedrock takes a Bedrock API key, or AWS keys as
	// {"accessKeyId": "", "secretAccessKey": "", "sessionToken": ""}; Vertex AI
	// takes the JSON of a service account.
	// +optional
	Auth *Auth `json:"auth,omitempty"`

	// tls says how an in-house endpoint is trusted. Default: by the public
	// authorities, under the name in baseURL.
	// +optional
	TLS *TLS `json:"tls,omitempty"`

	// dialects that the provider speaks itself, so that requests in them are
	// passed on unchanged. Default: those of the type.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Dialects []Dialect `json:"dialects,omitempty"`

	// contextWindow is the size of the model's context in tokens. It lets a
	// request that was too long for one provider move to a larger one. 0: not
	// known.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000000
	ContextWindow int32 `json:"contextWindow,omitempty"`

	// reasoning says that the model thinks before its first token, so that slow
	// first tokens are normal: firstToken then defaults to 180s.
	// +optional
	Reasoning bool `json:"reasoning,omitempty"`

	// request changes the members of requests to this provider, after
	// everything else.
	// +optional
	Request *RequestKnobs `json:"request,omitempty"`

	// timeouts of this provider, where they differ from the chain's.
	// +optional
	Timeouts *Timeouts `json:"timeouts,omitempty"`

	// breaker of this provider, where it differs from the chain's.
	// +optional
	Breaker *Breaker `json:"breaker,omitempty"`
}

// RequestKnobs change requests to a provider that does not take, or always
// wants, single members. They are applied last.
//
// +kubebuilder:validation:XValidation:rule=`!has(self.drop) || !self.drop.exists(m, m in ['model', 'stream', 'messages', 'input'])`,message="model, stream, messages and input cannot be left out: write other names into drop",fieldPath=".drop"
type RequestKnobs struct {
	// drop names top-level members that are left out, such as temperature.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:MinLength=1
	Drop []string `json:"drop,omitempty"`

	// set holds top-level members that are added, or replaced where the app set
	// them, such as {temperature: 1}.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Set *runtime.RawExtension `json:"set,omitempty"`
}

// ProviderType is a kind of provider.
//
// +kubebuilder:validation:Enum=OpenAI;Anthropic;AzureOpenAI;Gemini;Bedrock;OpenAICompatible
type ProviderType string

// The types of providers.
const (
	OpenAI           ProviderType = "OpenAI"
	Anthropic        ProviderType = "Anthropic"
	AzureOpenAI      ProviderType = "AzureOpenAI"
	GeminiAPI        ProviderType = "Gemini"
	Bedrock          ProviderType = "Bedrock"
	OpenAICompatible ProviderType = "OpenAICompatible"
)

// Dialect is one wire format of an LLM API.
//
// +kubebuilder:validation:Enum=OpenAIChat;OpenAIResponses;OpenAIEmbeddings;AnthropicMessages;Gemini;BedrockConverse
type Dialect string

// The dialects.
const (
	OpenAIChat        Dialect = "OpenAIChat"
	OpenAIResponses   Dialect = "OpenAIResponses"
	OpenAIEmbeddings  Dialect = "OpenAIEmbeddings"
	AnthropicMessages Dialect = "AnthropicMessages"
	Gemini            Dialect = "Gemini"
	BedrockConverse   Dialect = "BedrockConverse"
)

// ModelMapping replaces one model.
type ModelMapping struct {
	// from is the model that the app asks for.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	From string `json:"from"`

	// to is the model that the provider is asked for instead.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	To string `json:"to"`
}

// Auth says where a key is found; exactly one source is set. Its rules stand on
// the object for the same reason as those of SecretKeyRef.
//
// +kubebuilder:validation:XValidation:rule=`[has(self.secretKeyRef), has(self.env) && self.env != "", has(self.file) && self.file != "", has(self.passthrough) && self.passthrough].filter(set, set).size() == 1`,message="not exactly one source of the key: write one of secretKeyRef, env, file and passthrough"
// +kubebuilder:validation:XValidation:rule=`!has(self.env) || self.env == "" || self.env.matches('^[A-Za-z_][A-Za-z0-9_]*$')`,message="not the name of an environment variable: write letters, digits and '_' only, such as OPENAI_API_KEY, and not the key itself",fieldPath=".env"
// +kubebuilder:validation:XValidation:rule=`!has(self.file) || self.file == "" || self.file.startsWith('/')`,message="not an absolute path: write one such as /var/run/keys/openai, and not the key itself",fieldPath=".file"
type Auth struct {
	// secretKeyRef names a key of a Secret in the chain's namespace.
	// +optional
	SecretKeyRef *SecretKeyRef `json:"secretKeyRef,omitempty"`

	// env is a variable of the sidecar's own environment. For a chain in a
	// cluster it must be listed in the sidecar's --allow-env.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Env string `json:"env,omitempty"`

	// file is the absolute path of a file that holds the key; it is read again
	// when it changes. For a chain in a cluster it must lie under the sidecar's
	// --secrets-dir.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	File string `json:"file,omitempty"`

	// passthrough sends the app's own key to this provider, and to no other.
	// Only requests in a dialect that the provider speaks itself reach it.
	// +optional
	Passthrough bool `json:"passthrough,omitempty"`
}

// TLS says how an endpoint is trusted; at least one of its fields is set.
//
// +kubebuilder:validation:XValidation:rule=`has(self.caSecretKeyRef) || (has(self.serverName) && self.serverName != "")`,message="empty: write caSecretKeyRef, serverName or both, or leave tls out"
// +kubebuilder:validation:XValidation:rule=`!has(self.serverName) || self.serverName == "" || self.serverName.matches('^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?([.][A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*$')`,message="not the name of a server: write one such as llm.corp.example, without scheme and port",fieldPath=".serverName"
type TLS struct {
	// caSecretKeyRef names certificates of authorities in PEM form. Where it is
	// set, no other authority is trusted for this provider. They are read again
	// when they change.
	// +optional
	CASecretKeyRef *SecretKeyRef `json:"caSecretKeyRef,omitempty"`

	// serverName is the name in the endpoint's certificate. Default: the host of
	// baseURL.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`
}

// SecretKeyRef names one key of a Secret. Its rules stand on the object and not
// on the fields, because the API server repeats the value of a field in its
// answer, and what people put here by mistake is the secret itself.
//
// +kubebuilder:validation:XValidation:rule=`self.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')`,message="not the name of a Secret: write lower-case letters, digits, '-' and '.' only, such as llm-keys",fieldPath=".name"
// +kubebuilder:validation:XValidation:rule=`self.key.matches('^[-._a-zA-Z0-9]+$') && self.key != '.' && !self.key.startsWith('..')`,message="not a key of a Secret: write letters, digits, '-', '_' and '.' only, such as openai, and not the API key itself",fieldPath=".key"
type SecretKeyRef struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// key in the data of the Secret.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}
