package driver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"cobble/cluster"
	"cobble/cluster/wire"
)

// A bus connection, version 1. Numbers are big-endian.
//
//	connection = "CBUS" version:1 frame*          ; the side that dialled speaks first
//	frame      = length:4 type:1 body             ; length counts type and body
//
//	HELLO      1  nonce:16 id:20 boot:8           ; first frame of the dialling side
//	HELLO_OK   2  nonce:16 id:20 boot:8 mac:32    ; answer, proves the secret
//	AUTH       3  mac:32                          ; proves the secret in return; then the connection is open
//	REFUSED    4  text                            ; instead of HELLO_OK, or of going on; the connection is closed
//	MESSAGE    5  message of package wire         ; dialling side only
//	PING       6  token:8                         ; dialling side only
//	PONG       7  token:8 id:20 boot:8            ; answer
//	STREAM     8  header                          ; the rest of the connection is the stream handler's
//	CAST       9  kind:1 bytes                    ; best effort, for the server (pub/sub)
//
// mac = HMAC-SHA256(secret, role:1 HELLO-body HELLO_OK-body-without-mac), role
// being 'a' for the side that accepts and 'd' for the one that dialled. Without
// a secret the key is empty; that proves nothing, so such a bus talks to
// loopback addresses only.
//
// The dialling side of a connection sends, the other only answers: two nodes
// that talk have two connections, as in Redis, and no race decides which to keep.

// rpcByte is the first byte of a bus connection; gossip's streams have another.
const rpcByte = 'C'

// preamble follows the first byte, which the port has consumed to tell us from gossip.
const preamble = "BUS\x01"

const protocolVersion = 1

const (
	frameHello    = 1
	frameHelloOK  = 2
	frameAuth     = 3
	frameRefused  = 4
	frameMessage  = 5
	framePing     = 6
	framePong     = 7
	frameStream   = 8
	frameCast     = 9
	frameOverhead = 5

	nonceSize     = 16
	helloSize     = nonceSize + 20 + 8
	macSize       = 32
	greetingLimit = 1024                // bytes of a frame before the connection is open
	frameLimit    = wire.MaxMessage + 1 // bytes of any frame
)

var errFrame = errors.New("driver: malformed bus frame")

// appendFrame appends a whole frame.
func appendFrame(out []byte, kind byte, body ...[]byte) []byte {
	n := 1
	for _, b := range body {
		n += len(b)
	}
	out = binary.BigEndian.AppendUint32(out, uint32(n))
	out = append(out, kind)
	for _, b := range body {
		out = append(out, b...)
	}
	return out
}

// readFrame reads one frame of at most limit bytes. It reads no byte more, so
// that a connection can change hands behind any frame.
func readFrame(r io.Reader, limit int) (kind byte, body []byte, err error) {
	var head [frameOverhead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 1 || uint64(n) > uint64(limit) {
		return 0, nil, fmt.Errorf("%w: length %d, the limit is %d", errFrame, n, limit)
	}
	body = make([]byte, n-1)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	return head[4], body, nil
}

// hello is the body of HELLO, and of HELLO_OK without its mac.
type hello struct {
	nonce [nonceSize]byte
	id    cluster.ID
	boot  uint64
}

func (h *hello) append(out []byte) []byte {
	out = append(out, h.nonce[:]...)
	out = append(out, h.id[:]...)
	return binary.BigEndian.AppendUint64(out, h.boot)
}

func parseHello(b []byte) (hello, error) {
	var h hello
	if len(b) != helloSize {
		return h, fmt.Errorf("%w: greeting of %d bytes", errFrame, len(b))
	}
	copy(h.nonce[:], b)
	copy(h.id[:], b[nonceSize:])
	h.boot = binary.BigEndian.Uint64(b[nonceSize+20:])
	return h, nil
}

// pong is the body of PONG.
type pong struct {
	token uint64
	id    cluster.ID
	boot  uint64
}

func (p *pong) append(out []byte) []byte {
	out = binary.BigEndian.AppendUint64(out, p.token)
	out = append(out, p.id[:]...)
	return binary.BigEndian.AppendUint64(out, p.boot)
}

func parsePong(b []byte) (pong, error) {
	var p pong
	if len(b) != 36 {
		return p, fmt.Errorf("%w: pong of %d bytes", errFrame, len(b))
	}
	p.token = binary.BigEndian.Uint64(b)
	copy(p.id[:], b[8:])
	p.boot = binary.BigEndian.Uint64(b[28:])
	return p, nil
}
