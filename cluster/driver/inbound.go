package driver

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"cobble/cluster"
	"cobble/cluster/wire"
)

const (
	greetTimeout    = 5 * time.Second
	inboundLimit    = 32768 // open connections; more are closed at once
	streamPrefix    = 64 << 10
	inboundReadSize = 16 << 10
)

// inbound is a connection on which a peer speaks to us.
type inbound struct {
	conn  net.Conn
	from  identity
	since time.Time
}

// accept serves a connection whose first byte has been consumed, until it
// ends or becomes a stream. It is the goroutine of that connection.
func (b *bus) accept(conn net.Conn) {
	in := &inbound{conn: conn, since: time.Now()}
	if !b.admit(in) {
		_ = conn.Close()
		return
	}
	defer b.wg.Done()
	given := false
	defer func() {
		b.mu.Lock()
		delete(b.inbound, in)
		b.mu.Unlock()
		if !given {
			_ = conn.Close()
		}
	}()
	remote, _ := conn.RemoteAddr().(*net.TCPAddr)
	if remote == nil {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(greetTimeout))
	if !b.trusted(remote.IP) {
		_, _ = conn.Write(appendFrame(nil, frameRefused, []byte(errUntrusted.Error())))
		b.noteRefusal(remote.IP.String(), errUntrusted)
		return
	}
	them, err := answer(conn, b.conf.me(), b.conf.secret, b.isCutFrom)
	if err != nil {
		b.noteRefusal(remote.IP.String(), err)
		return
	}
	_ = conn.SetDeadline(time.Time{})
	b.mu.Lock()
	in.from = them
	b.mu.Unlock()
	given = b.serve(in, remote.IP.String())
}

// admit enters the connection into the books, where close finds it.
func (b *bus) admit(in *inbound) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.inbound) >= inboundLimit {
		return false
	}
	b.inbound[in] = struct{}{}
	b.wg.Add(1)
	return true
}

// serve reads frames. It returns true when the connection was given away.
func (b *bus) serve(in *inbound, remoteIP string) (given bool) {
	local, _ := in.conn.LocalAddr().(*net.TCPAddr)
	localIP := ""
	if local != nil {
		localIP = local.IP.String()
	}
	// The first frame is read without a buffer: it may be STREAM, and what
	// follows that belongs to another reader.
	kind, body, err := readFrame(in.conn, frameLimit)
	if err == nil && kind == frameStream && len(body) <= streamPrefix {
		b.mu.Lock()
		delete(b.inbound, in)
		closed := b.closed
		b.mu.Unlock()
		if closed || b.conf.stream == nil {
			return false
		}
		go b.conf.stream(in.from.id, body, b.giveAway(in.conn, in.from.id))
		return true
	}
	r := bufio.NewReaderSize(in.conn, inboundReadSize)
	for err == nil {
		if err = b.handle(in, kind, body, remoteIP, localIP); err != nil {
			break
		}
		kind, body, err = readFrame(r, frameLimit)
	}
	return false
}

func (b *bus) handle(in *inbound, kind byte, body []byte, remoteIP, localIP string) error {
	switch kind {
	case frameMessage:
		m, err := wire.Decode(body)
		if err != nil {
			b.conf.logf('#', "Cluster bus message from %s (%s): %v", in.from.id, remoteIP, err)
			return err
		}
		if m.From != in.from.id {
			return fmt.Errorf("%w: a message of another sender", errFrame)
		}
		b.counts.received[sortOf(m.Body)].Add(1)
		b.deliver(cluster.Receive{Msg: m, RemoteIP: remoteIP, LocalIP: localIP})
	case framePing:
		if len(body) != 8 {
			return fmt.Errorf("%w: ping of %d bytes", errFrame, len(body))
		}
		b.counts.received[sortPing].Add(1)
		if !b.conf.healthy() {
			return nil // silence is the honest answer of a node that cannot think
		}
		me := b.conf.me()
		p := pong{token: binary.BigEndian.Uint64(body), id: me.id, boot: me.boot}
		_ = in.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		b.counts.sent[sortPong].Add(1)
		_, err := in.conn.Write(appendFrame(nil, framePong, p.append(nil)))
		return err
	case frameCast:
		if len(body) < 1 {
			return fmt.Errorf("%w: empty cast", errFrame)
		}
		b.counts.received[sortPublish].Add(1)
		if b.conf.cast != nil {
			b.conf.cast(in.from.id, body[0], body[1:])
		}
	default:
		return fmt.Errorf("%w: type %d on an open connection", errFrame, kind)
	}
	return nil
}

// dialStream opens a connection of its own and gives it away behind a STREAM
// frame with header.
func (b *bus) dialStream(to cluster.ID, a cluster.Addr, header []byte) (net.Conn, error) {
	if len(header) > streamPrefix {
		return nil, fmt.Errorf("driver: stream header of %d bytes", len(header))
	}
	conn, them, err := b.dial(busAddr(a), dialTimeout)
	if err != nil {
		return nil, err
	}
	if them.id != to {
		_ = conn.Close()
		return nil, errWrongNode
	}
	_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := conn.Write(appendFrame(nil, frameStream, header)); err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetWriteDeadline(time.Time{})
	return b.giveAway(conn, to), nil
}
