package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/understudy-dev/understudy/internal/failover"
)

// signer shows Bedrock who a call is from: by a Bedrock API key, or by a
// signature with AWS keys.
type signer struct {
	service, region string
	chain           aws.CredentialsProvider // the process's own identity; nil: a key is configured
}

// awsKeys is a secret that holds AWS keys in place of a Bedrock API key.
type awsKeys struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
}

// authorize adds the credential to a request whose body is final.
func (s *signer) authorize(ctx context.Context, req *http.Request, call failover.Call) error {
	key := call.Credentials.Reveal()
	if s.chain == nil && !strings.HasPrefix(key, "{") {
		return bearer(ctx, req, call)
	}
	credentials, err := s.credentials(ctx, key)
	if err != nil {
		return err
	}
	if s.region == "" {
		return fmt.Errorf("%w: the region is not known; name a bedrock-runtime host in baseURL, or set AWS_REGION", failover.ErrNoCredential)
	}
	return s.sign(ctx, req, call.Body, credentials)
}

// credentials are the AWS keys of a secret, or those that the process has now.
func (s *signer) credentials(ctx context.Context, key string) (aws.Credentials, error) {
	if s.chain != nil {
		credentials, err := s.chain.Retrieve(ctx)
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return credentials, fmt.Errorf("%w: the sidecar's own AWS identity: %w", failover.ErrNoCredential, err)
		}
		return credentials, nil
	}
	var k awsKeys
	if json.Unmarshal([]byte(key), &k) != nil || k.AccessKeyID == "" || k.SecretAccessKey == "" {
		return aws.Credentials{}, fmt.Errorf("%w: the key is a JSON object without accessKeyId and secretAccessKey", failover.ErrNoCredential)
	}
	return aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken}, nil
}

// sign adds a signature over the body, the address and the few headers that
// nobody on the way may change.
func (s *signer) sign(ctx context.Context, req *http.Request, body *failover.Replay, credentials aws.Credentials) error {
	address := *req.URL
	signed := &http.Request{
		Method: req.Method, URL: &address, Host: req.Host, ContentLength: max(req.ContentLength, 0), Header: http.Header{},
	}
	if kind := req.Header["Content-Type"]; kind != nil {
		signed.Header["Content-Type"] = kind
	}
	sum, err := sumOf(body)
	if err != nil {
		return err
	}
	if sum == unsigned {
		signed.Header["X-Amz-Content-Sha256"] = []string{sum}
	}
	if err := v4.NewSigner().SignHTTP(ctx, credentials, signed, sum, s.service, s.region, time.Now()); err != nil {
		return errors.New("the request could not be signed")
	}
	for _, name := range [...]string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256"} {
		if v := signed.Header[name]; v != nil {
			req.Header[name] = v
		}
	}
	return nil
}

// unsigned stands for the sum of a body that is read as it is sent.
const unsigned = "UNSIGNED-PAYLOAD"

func sumOf(body *failover.Replay) (string, error) {
	if body.Streams() {
		return unsigned, nil
	}
	r, err := body.Reader()
	if err != nil {
		return "", err
	}
	defer r.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// identity is the identity of the process, by the AWS SDK's own rules:
// environment, files, a service account's role, the container's or the node's.
// Its keys are fetched when they are needed, and shared by all entries.
func (p *Provider) identity() (aws.CredentialsProvider, error) {
	if known := p.aws.Load(); known != nil {
		return known.Credentials, nil
	}
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		return nil, err
	}
	p.aws.CompareAndSwap(nil, &cfg)
	return p.aws.Load().Credentials, nil
}
