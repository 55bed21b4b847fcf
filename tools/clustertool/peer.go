package clustertool

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"cobble/tools/respconn"
	"cobble/tools/topology"
)

// peer is a node that the tool is connected to.
type peer struct {
	addr string
	conn *respconn.Conn
	view []*topology.Node // the cluster as this node sees it
	me   *topology.Node   // its own line in the view
}

// dial connects to a node and makes sure that it is one of a cluster.
func (t *tool) dial(addr string) (*peer, error) {
	host, port, err := net.SplitHostPort(addr)
	if n, e := strconv.Atoi(port); err != nil || e != nil || n < 1 || n > 65535 {
		return nil, usagef("%q is not an address; write host:port", addr)
	}
	if host == "" {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	conn, err := respconn.Dial(addr, t.timeout)
	if err != nil {
		return nil, fmt.Errorf("node %s cannot be reached: %w", addr, err)
	}
	p := &peer{addr: addr, conn: conn}
	if err := t.greet(p); err != nil {
		conn.Close()
		return nil, err
	}
	return p, nil
}

func (t *tool) greet(p *peer) error {
	if t.password != "" {
		auth := []string{"AUTH", t.password}
		if t.user != "" {
			auth = []string{"AUTH", t.user, t.password}
		}
		if _, err := p.do(auth...); err != nil {
			return err
		}
	}
	info, err := p.do("INFO", "cluster")
	if err != nil {
		if e, ok := err.(*replyError); ok && e.reply.Code() == "NOAUTH" {
			return fmt.Errorf("node %s wants a password: give it with -a", p.addr)
		}
		return err
	}
	if !strings.Contains(info.Text, "cluster_enabled:1") {
		return fmt.Errorf("node %s is not in cluster mode: start it with cluster-enabled yes", p.addr)
	}
	return p.refresh()
}

// replyError is an error reply, with where it came from and what it answered.
type replyError struct {
	addr  string
	args  []string
	reply respconn.ReplyError
}

func (e *replyError) Error() string {
	command := strings.Join(e.args[:min(len(e.args), 3)], " ")
	if strings.EqualFold(e.args[0], "AUTH") {
		command = "AUTH"
	}
	return fmt.Sprintf("node %s answered %s with: %s", e.addr, command, string(e.reply))
}

// do sends one command; an error reply is an error.
func (p *peer) do(args ...string) (respconn.Reply, error) {
	r, err := p.conn.Do(args...)
	if err != nil {
		return r, fmt.Errorf("node %s was lost at %s: %w", p.addr, strings.Join(args[:min(len(args), 2)], " "), err)
	}
	if e, ok := r.Err().(respconn.ReplyError); ok {
		return r, &replyError{p.addr, args, e}
	}
	return r, nil
}

func (p *peer) integer(args ...string) (int64, error) {
	r, err := p.do(args...)
	if err != nil {
		return 0, err
	}
	n, err := r.Int()
	if err != nil {
		return 0, fmt.Errorf("node %s answered %s with %w", p.addr, strings.Join(args, " "), err)
	}
	return n, nil
}

// refresh reads the node's view again.
func (p *peer) refresh() error {
	r, err := p.do("CLUSTER", "NODES")
	if err != nil {
		return err
	}
	text, err := r.Str()
	if err != nil {
		return fmt.Errorf("node %s: %w", p.addr, err)
	}
	if p.view, err = topology.ParseNodes(text); err != nil {
		return fmt.Errorf("node %s: %w", p.addr, err)
	}
	if p.me, err = topology.Myself(p.view); err != nil {
		return fmt.Errorf("node %s: %w", p.addr, err)
	}
	if p.me.Host == "" { // a node that was never met does not know its own address
		p.me.Host, _, _ = net.SplitHostPort(p.addr)
	}
	return nil
}

func (p *peer) sees(id string) *topology.Node {
	for _, n := range p.view {
		if n.ID == id {
			return n
		}
	}
	return nil
}

func (p *peer) host() string { return p.me.Host }

// short names a node in a line for people.
func (p *peer) short() string { return fmt.Sprintf("%s (%.8s)", p.addr, p.me.ID) }

// eventually tries a condition until it holds; the error is the last reason why it does not.
func (t *tool) eventually(what string, condition func() error) error {
	deadline := time.Now().Add(t.timeout)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		err := condition()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("gave up waiting for %s after %v: %w", what, t.timeout, err)
		}
		time.Sleep(pause)
	}
}
