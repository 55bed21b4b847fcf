package metamorphic

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cobble/slots"
	"cobble/tools/respconn"
)

// client runs steps on a cluster, or on one node, each exactly once: it follows
// redirections, tries again what was refused for the moment, and when a connection
// breaks it asks the cluster whether the step was executed.
type client struct {
	seeds []string
	conns map[string]*respconn.Conn
	owner map[slots.Slot]string
	last  string // address of the node that executed the last pipeline
	turn  int    // which seed to ask next
	// replicated makes a step count as done only when a replica has it.
	replicated *atomic.Bool

	redirects, asks, refusals, breaks, resolved int // what it met
}

func newClient(seeds []string) *client {
	return &client{replicated: new(atomic.Bool), seeds: seeds, conns: map[string]*respconn.Conn{}, owner: map[slots.Slot]string{}}
}

func (c *client) close() {
	for _, conn := range c.conns {
		conn.Close()
	}
}

// patience is how long one step may be refused.
const patience = time.Minute

// transact executes a step as one transaction that also notes its number in the
// sequence key. Known is false if the replies got lost.
func (c *client) transact(slot slots.Slot, sequenceKey string, number int, commands [][]string) (replies []respconn.Reply, known bool, err error) {
	pipeline := [][]string{{"MULTI"}}
	pipeline = append(pipeline, commands...)
	pipeline = append(pipeline, []string{"SET", sequenceKey, strconv.Itoa(number)}, []string{"EXEC"})
	for {
		replies, sent, err := c.send(slot, pipeline)
		switch {
		case err == nil:
			exec := replies[len(replies)-1]
			if len(exec.Elems) != len(commands)+1 {
				return nil, false, fmt.Errorf("EXEC replied %v after %v", exec, replies)
			}
			if c.isReplicated(slot) {
				return exec.Elems[:len(commands)], true, nil
			}
		case !sent:
			return nil, false, err
		}
		// The connection broke behind the request.
		got, err := c.read(slot, "GET", sequenceKey)
		if err != nil {
			return nil, false, err
		}
		if got[0].Text == strconv.Itoa(number) {
			c.resolved++
			return nil, false, nil
		}
	}
}

// read sends a command that does no harm when it is executed twice.
func (c *client) read(slot slots.Slot, command ...string) (replies []respconn.Reply, err error) {
	for sent := true; sent; {
		if replies, sent, err = c.send(slot, [][]string{command}); err == nil {
			break
		}
	}
	return replies, err
}

// isReplicated waits until a replica has what was last done in a slot; it is false
// if the connection to the primary breaks meanwhile.
func (c *client) isReplicated(slot slots.Slot) bool {
	conn := c.conns[c.last]
	for c.replicated.Load() {
		r, err := conn.Do("WAIT", "1", "100")
		if err != nil {
			c.breaks++
			conn.Close()
			delete(c.conns, c.last)
			c.forget(slot)
			return false
		}
		if r.Text != "0" {
			break
		}
	}
	return true
}

// send sends a pipeline until a node executes it. It fails with sent true if the
// connection broke while the reply was awaited, and with sent false when it gives up.
func (c *client) send(slot slots.Slot, pipeline [][]string) (replies []respconn.Reply, sent bool, err error) {
	var last error
	asking := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		addr := c.owner[slot]
		if asking != "" {
			addr = asking
		}
		if addr == "" {
			c.turn++
			addr = c.seeds[c.turn%len(c.seeds)]
		}
		conn, err := c.conn(addr)
		if err != nil {
			last, asking = err, ""
			c.forget(slot)
			continue
		}
		commands := pipeline
		if asking != "" {
			commands = append([][]string{{"ASKING"}}, pipeline...)
		}
		replies, err := conn.Pipeline(commands)
		if err != nil {
			c.breaks++
			conn.Finish() // or a server that lives might execute it after it was asked whether it did
			delete(c.conns, addr)
			c.forget(slot)
			return nil, true, err
		}
		replies = replies[len(commands)-len(pipeline):]
		asking, err = c.redirected(slot, replies)
		if err == nil {
			c.last = addr
			return replies, true, nil
		}
		last = err
	}
	return nil, false, fmt.Errorf("gave up: %w", last)
}

// forget makes the next attempt ask any node, after a moment.
func (c *client) forget(slot slots.Slot) {
	delete(c.owner, slot)
	time.Sleep(5 * time.Millisecond) // a pause between attempts, not a wait for something
}

// redirected returns the error that says that nothing was executed, if there is one
// among the replies, and where to ask instead if it is ASK.
func (c *client) redirected(slot slots.Slot, replies []respconn.Reply) (ask string, refusal error) {
	for _, r := range replies {
		err, ok := r.Err().(respconn.ReplyError)
		if !ok {
			continue
		}
		switch words := strings.Fields(string(err)); err.Code() {
		case "MOVED":
			c.redirects++
			c.owner[slot] = words[2]
			return "", err
		case "ASK":
			c.asks++
			return words[2], err
		case "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY", "NOREPLICAS":
			c.refusals++
			c.forget(slot)
			return "", err
		}
	}
	return "", nil
}

func (c *client) conn(addr string) (*respconn.Conn, error) {
	if conn := c.conns[addr]; conn != nil {
		return conn, nil
	}
	plain, err := net.DialTimeout("tcp", addr, 2*time.Second)
	if err != nil {
		return nil, err
	}
	conn := respconn.New(plain, 20*time.Second)
	c.conns[addr] = conn
	return conn, nil
}
