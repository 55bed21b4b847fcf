package driver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"cobble/cluster"
)

// identity is who a node says it is on a new connection.
type identity struct {
	id   cluster.ID
	boot uint64
}

// refusedError is a REFUSED frame of the other side.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return "refused by the peer: " + e.text }

var errCut = errors.New("cut off")

var errSecret = errors.New("the peer does not have this cluster's secret")

func mac(secret []byte, role byte, dialled, accepted *hello) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte{role})
	h.Write(dialled.append(nil))
	h.Write(accepted.append(nil))
	return h.Sum(nil)
}

func newHello(me identity) hello {
	h := hello{id: me.id, boot: me.boot}
	_, _ = rand.Read(h.nonce[:]) // never fails
	return h
}

// greet opens a connection from the dialling side and returns who answered.
// The caller has set a deadline.
func greet(conn net.Conn, me identity, secret []byte) (identity, error) {
	mine := newHello(me)
	out := append([]byte{rpcByte}, preamble...)
	out = appendFrame(out, frameHello, mine.append(nil))
	if _, err := conn.Write(out); err != nil {
		return identity{}, err
	}
	kind, body, err := readFrame(conn, greetingLimit)
	if err != nil {
		return identity{}, err
	}
	if kind == frameRefused {
		return identity{}, &refusedError{string(body)}
	}
	if kind != frameHelloOK || len(body) != helloSize+macSize {
		return identity{}, fmt.Errorf("%w: type %d in answer to a greeting", errFrame, kind)
	}
	theirs, err := parseHello(body[:helloSize])
	if err != nil {
		return identity{}, err
	}
	if !hmac.Equal(body[helloSize:], mac(secret, 'a', &mine, &theirs)) {
		return identity{}, errSecret
	}
	if _, err := conn.Write(appendFrame(nil, frameAuth, mac(secret, 'd', &mine, &theirs))); err != nil {
		return identity{}, err
	}
	return identity{theirs.id, theirs.boot}, nil
}

// answer opens a connection from the accepting side, its first byte consumed.
// An error that the peer can do something about is told to it. The caller has
// set a deadline. Of peers that are cut off nothing is heard until then.
func answer(conn net.Conn, me identity, secret []byte, cutOff func(cluster.ID) bool) (identity, error) {
	refuse := func(err error) (identity, error) {
		_, _ = conn.Write(appendFrame(nil, frameRefused, []byte(err.Error())))
		return identity{}, err
	}
	var opening [len(preamble)]byte
	if _, err := io.ReadFull(conn, opening[:]); err != nil {
		return identity{}, err
	}
	last := len(preamble) - 1
	if string(opening[:last]) != preamble[:last] {
		return identity{}, fmt.Errorf("%w: not a bus connection", errFrame)
	}
	if v := opening[last]; v != protocolVersion {
		return refuse(fmt.Errorf("bus protocol %d, this node speaks %d; upgrade the older node", v, protocolVersion))
	}
	kind, body, err := readFrame(conn, greetingLimit)
	if err != nil {
		return identity{}, err
	}
	if kind != frameHello {
		return identity{}, fmt.Errorf("%w: type %d before the greeting", errFrame, kind)
	}
	theirs, err := parseHello(body)
	if err != nil {
		return identity{}, err
	}
	if cutOff(theirs.id) {
		_, err := io.Copy(io.Discard, conn)
		return identity{}, errors.Join(errCut, err)
	}
	mine := newHello(me)
	out := appendFrame(nil, frameHelloOK, mine.append(nil), mac(secret, 'a', &theirs, &mine))
	if _, err := conn.Write(out); err != nil {
		return identity{}, err
	}
	kind, body, err = readFrame(conn, greetingLimit)
	if err != nil {
		return identity{}, err
	}
	if kind != frameAuth || !hmac.Equal(body, mac(secret, 'd', &theirs, &mine)) {
		return refuse(errSecret)
	}
	return identity{theirs.id, theirs.boot}, nil
}

// dialBus connects and greets within timeout.
func dialBus(addr string, timeout time.Duration, me identity, secret []byte) (net.Conn, identity, error) {
	deadline := time.Now().Add(timeout)
	conn, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return nil, identity{}, err
	}
	_ = conn.SetDeadline(deadline)
	them, err := greet(conn, me, secret)
	if err != nil {
		_ = conn.Close()
		return nil, identity{}, err
	}
	_ = conn.SetDeadline(time.Time{})
	return conn, them, nil
}
