package respconn

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is the first byte of a reply on the wire.
type Kind byte

// The types of RESP2, and of RESP3 from Null on.
const (
	Simple   Kind = '+'
	Error    Kind = '-'
	Integer  Kind = ':'
	Bulk     Kind = '$'
	Array    Kind = '*'
	Null     Kind = '_'
	Boolean  Kind = '#'
	Double   Kind = ','
	Big      Kind = '('
	BlobErr  Kind = '!'
	Verbatim Kind = '='
	Map      Kind = '%'
	Set      Kind = '~'
	Push     Kind = '>'
)

// Reply is one reply, kept as it was sent. The zero Reply is not a reply.
type Reply struct {
	Kind Kind
	Text string // the payload of everything that is not an aggregate; a Verbatim's keeps its "txt:" prefix
	// Absent marks RESP2's two nulls, a Bulk of length -1 and an Array of length -1. (RESP3's is Kind Null.)
	Absent bool
	// Elems are an aggregate's elements; a Map's are key, value, key, value.
	Elems []Reply
}

// ReplyError is an error reply: the server's own words, without the leading "-".
type ReplyError string

func (e ReplyError) Error() string { return string(e) }

// Code is the first word of the error: ERR, MOVED, WRONGTYPE …
func (e ReplyError) Code() string {
	code, _, _ := strings.Cut(string(e), " ")
	return code
}

// Err gives the server's error when the reply is one, else nil.
func (r Reply) Err() error {
	if r.Kind == Error || r.Kind == BlobErr {
		return ReplyError(r.Text)
	}
	return nil
}

// IsNull reports whether the reply is any of the three nulls.
func (r Reply) IsNull() bool { return r.Absent || r.Kind == Null }

// IsAggregate reports whether the reply has elements, even if none were sent.
func (r Reply) IsAggregate() bool {
	switch r.Kind {
	case Array, Map, Set, Push:
		return true
	}
	return false
}

// Int reads the reply as an integer, whether it was sent as one or as text.
func (r Reply) Int() (int64, error) {
	if err := r.Err(); err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(r.Text, 10, 64)
	if err != nil || r.IsAggregate() {
		return 0, fmt.Errorf("%s is not an integer", r)
	}
	return n, nil
}

// Str reads the reply as text.
func (r Reply) Str() (string, error) {
	if err := r.Err(); err != nil {
		return "", err
	}
	if r.IsAggregate() || r.IsNull() {
		return "", fmt.Errorf("%s is not a string", r)
	}
	if r.Kind == Verbatim && len(r.Text) >= 4 {
		return r.Text[4:], nil
	}
	return r.Text, nil
}

// Strs reads the reply as a list of texts; nulls become empty strings.
func (r Reply) Strs() ([]string, error) {
	if err := r.Err(); err != nil {
		return nil, err
	}
	if !r.IsAggregate() {
		return nil, fmt.Errorf("%s is not an array", r)
	}
	all := make([]string, len(r.Elems))
	for i, e := range r.Elems {
		if e.IsAggregate() {
			return nil, fmt.Errorf("%s is not an array of strings", r)
		}
		all[i] = e.Text
	}
	return all, nil
}

// Field finds the value of a key in a map, or in an array of alternating keys and values.
func (r Reply) Field(key string) (Reply, bool) {
	for i := 0; i+1 < len(r.Elems); i += 2 {
		if r.Elems[i].Text == key {
			return r.Elems[i+1], true
		}
	}
	return Reply{}, false
}

// Equal reports whether two replies are the same on the wire.
func (r Reply) Equal(o Reply) bool {
	if r.Kind != o.Kind || r.Text != o.Text || r.Absent != o.Absent || len(r.Elems) != len(o.Elems) {
		return false
	}
	for i := range r.Elems {
		if !r.Elems[i].Equal(o.Elems[i]) {
			return false
		}
	}
	return true
}

// String writes the reply on one line, types visible, bytes quoted: for messages, and as a key to sort by.
func (r Reply) String() string {
	var b strings.Builder
	r.write(&b)
	return b.String()
}

func (r Reply) write(b *strings.Builder) {
	switch {
	case r.Kind == 0:
		b.WriteString("no reply")
	case r.Absent:
		fmt.Fprintf(b, "%c-1", r.Kind)
	case r.IsAggregate():
		fmt.Fprintf(b, "%c%d[", r.Kind, len(r.Elems))
		for i, e := range r.Elems {
			if i > 0 {
				b.WriteByte(' ')
			}
			e.write(b)
		}
		b.WriteByte(']')
	case r.Kind == Bulk, r.Kind == Verbatim:
		fmt.Fprintf(b, "%c%q", r.Kind, r.Text)
	default:
		fmt.Fprintf(b, "%c%s", r.Kind, strings.Trim(strconv.Quote(r.Text), `"`))
	}
}
