package wire

// AppendEvent appends one server-sent event; name may be empty. The data must
// hold no line end, which compact JSON never does.
func AppendEvent(dst []byte, name string, data []byte) []byte {
	dst = OpenEvent(dst, name)
	return CloseEvent(append(dst, data...))
}

// OpenEvent begins an event up to where its data goes.
func OpenEvent(dst []byte, name string) []byte {
	if name != "" {
		dst = append(dst, "event: "...)
		dst = append(dst, name...)
		dst = append(dst, '\n')
	}
	return append(dst, "data: "...)
}

// CloseEvent ends an event whose data was written.
func CloseEvent(dst []byte) []byte { return append(dst, '\n', '\n') }
