package failover

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
)

// decode undoes a content coding that we did not ask for, where we can: some
// servers compress whatever they are asked. It reports false for a body that
// cannot be read.
func decode(resp *http.Response) bool {
	switch strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))) {
	case "", "identity":
		return true
	case "gzip", "x-gzip":
		resp.Body = &gzipBody{raw: resp.Body}
		resp.ContentLength = -1
		delete(resp.Header, "Content-Encoding")
		delete(resp.Header, "Content-Length")
		return true
	}
	return false
}

// gzipBody unpacks a body while it comes. The head of the packed stream is
// awaited by the first Read, within that read's time.
type gzipBody struct {
	raw      io.ReadCloser
	unpacked *gzip.Reader
}

func (b *gzipBody) Read(p []byte) (int, error) {
	if b.unpacked == nil {
		z, err := gzip.NewReader(b.raw)
		if err != nil {
			return 0, damaged(err)
		}
		b.unpacked = z
	}
	n, err := b.unpacked.Read(p)
	return n, damaged(err)
}

// Close implements io.Closer.
func (b *gzipBody) Close() error { return b.raw.Close() }

// damaged tells a body that is not what its coding says from a connection that
// broke.
func damaged(err error) error {
	if _, corrupt := errors.AsType[flate.CorruptInputError](err); corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return errEncoding
	}
	return err
}
