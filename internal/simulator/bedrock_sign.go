package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// signatureScheme is the scheme of AWS's signatures, version 4.
const signatureScheme = "AWS4-HMAC-SHA256"

// signature is what an Authorization header says.
type signature struct {
	keyID, date, region, service string
	headers                      []string
	value                        string
}

// readSignature reads "AWS4-HMAC-SHA256 Credential=ID/DATE/REGION/SERVICE/aws4_request, SignedHeaders=a;b, Signature=hex".
func readSignature(authorization string) (signature, bool) {
	var s signature
	rest, ok := strings.CutPrefix(authorization, signatureScheme+" ")
	if !ok {
		return s, false
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			scope := strings.Split(value, "/")
			if len(scope) != 5 || scope[4] != "aws4_request" {
				return s, false
			}
			s.keyID, s.date, s.region, s.service = scope[0], scope[1], scope[2], scope[3]
		case "SignedHeaders":
			s.headers = strings.Split(value, ";")
		case "Signature":
			s.value = value
		}
	}
	return s, s.keyID != "" && len(s.headers) > 0 && s.value != ""
}

// awsKeyOf returns the configured key whose id signed a request, or "" for none. Where any key is valid it is the id.
func (p *Provider) awsKeyOf(authorization string) string {
	s, ok := readSignature(authorization)
	if !ok || len(p.config.Keys) == 0 {
		return s.keyID
	}
	for _, key := range p.config.Keys {
		if strings.HasPrefix(key, s.keyID+":") {
			return key
		}
	}
	return ""
}

// maxSkew is how old or early a signature may be.
const maxSkew = 5 * time.Minute

// checkSignature computes a request's signature anew from what arrived.
func (x *exchange) checkSignature() *apiError {
	h := x.r.Header
	s, ok := readSignature(h.Get("Authorization"))
	if !ok {
		return denied("IncompleteSignatureException", "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.")
	}
	if x.key == "" {
		return denied("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	at, err := time.Parse("20060102T150405Z", h.Get("X-Amz-Date"))
	if err != nil || s.date != at.Format("20060102") || time.Since(at).Abs() > maxSkew {
		return denied("InvalidSignatureException", "Signature expired: "+h.Get("X-Amz-Date"))
	}
	if s.service != "bedrock" || s.region == "" {
		return denied("InvalidSignatureException", "Credential should be scoped to correct service: 'bedrock'.")
	}
	for _, name := range []string{"host", "x-amz-date", "x-amz-security-token"} {
		if !slices.Contains(s.headers, name) && (name == "host" || h.Get(name) != "") {
			return denied("InvalidSignatureException", "The header "+name+" must be signed.")
		}
	}
	if len(x.p.config.Keys) == 0 {
		return nil // Any key is valid, so its secret is not known.
	}
	parts := strings.SplitN(x.p.awsKeyOf(h.Get("Authorization")), ":", 3)
	if len(parts) == 3 && h.Get("X-Amz-Security-Token") != parts[2] {
		return denied("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if len(parts) < 2 || s.sign(parts[1], canonical(x.r, x.body, s.headers), h.Get("X-Amz-Date")) != s.value {
		return denied("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// canonical is the request in the form that is signed.
func canonical(r *http.Request, body []byte, headers []string) string {
	var path []string
	for segment := range strings.SplitSeq(r.URL.EscapedPath(), "/") {
		path = append(path, awsEscape(segment)) // Once more than in the URL.
	}
	var query []string
	for name, values := range r.URL.Query() {
		for _, v := range values {
			query = append(query, awsEscape(name)+"="+awsEscape(v))
		}
	}
	slices.Sort(query)
	lines := []string{r.Method, strings.Join(path, "/"), strings.Join(query, "&")}
	for _, name := range headers {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = r.Header.Get("Content-Length")
			if value == "" {
				value = strconv.Itoa(len(body))
			}
		}
		lines = append(lines, name+":"+strings.Join(strings.Fields(value), " "))
	}
	sum := r.Header.Get("X-Amz-Content-Sha256")
	if sum == "" {
		sum = hexSum(body)
	}
	return strings.Join(append(lines, "", strings.Join(headers, ";"), sum), "\n")
}

// sign makes the signature of a canonical request.
func (s signature) sign(secret, request, at string) string {
	scope := s.date + "/" + s.region + "/" + s.service + "/aws4_request"
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.date, s.region, s.service, "aws4_request"} {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, signatureScheme+"\n"+at+"\n"+scope+"\n"+hexSum([]byte(request))))
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// awsEscape escapes all but letters, digits and -._~
func awsEscape(s string) string {
	return strings.NewReplacer("+", "%20", "%7E", "~", "*", "%2A").Replace(url.QueryEscape(s))
}
