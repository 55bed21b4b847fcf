package differential

import (
	"fmt"
	"sort"
	"strings"

	"cobble/tools/respconn"
)

// side is one of the two servers.
type side struct {
	addr   string
	conns  []*respconn.Conn // kept from one sequence to the next
	broken bool             // a sequence ended in the middle: connections and data are in no known state
	raw    []byte           // the last reply
}

// open gives the side connections as good as new, and an empty server.
func (s *side) open(sessions, protocol int, setup [][]string) error {
	if s.broken {
		s.close()
	}
	fresh := len(s.conns) == 0
	for len(s.conns) < max(1, sessions) {
		c, err := respconn.Dial(s.addr, replyTimeout)
		if err != nil {
			return err
		}
		s.conns = append(s.conns, c)
	}
	if fresh {
		if err := s.empty(); err != nil {
			return err
		}
	}
	s.broken = true // until the sequence has come to its end
	first := [][]string{{"RESET"}}
	if protocol == 3 {
		first = append(first, []string{"HELLO", "3"})
	}
	for i, c := range s.conns[:max(1, sessions)] {
		if i == 0 {
			first = append(first[:len(first):len(first)], setup...)
		}
		if err := all(c, first); err != nil {
			return err
		}
		first = first[:min(len(first), protocol-1)]
	}
	return nil
}

// empty deletes what is left from a sequence that did not come to its end.
func (s *side) empty() error {
	c := s.conns[0]
	r, err := c.Do("KEYS", "*")
	if err != nil {
		return err
	}
	keys, err := r.Strs()
	if err != nil {
		return err
	}
	return all(c, append(deletes(keys), []string{"FLUSHALL"}))
}

func deletes(keys []string) [][]string {
	var commands [][]string
	for _, key := range keys {
		commands = append(commands, []string{"DEL", key})
	}
	return commands
}

// close ends the connections when the server is through with what it was sent: else commands of a sequence that did not
// come to its end go on beside the next one.
func (s *side) close() {
	for _, c := range s.conns {
		c.Finish()
	}
	s.conns = nil
}

// all sends commands in one go, none of which may fail.
func all(c *respconn.Conn, commands [][]string) error {
	replies, err := c.Pipeline(commands)
	for i := range replies {
		if err == nil {
			err = replies[i].Err()
		}
		if err != nil {
			return fmt.Errorf("%q to %v: %w", commands[i], c.RemoteAddr(), err)
		}
	}
	return err
}

func must(c *respconn.Conn, args ...string) error { return all(c, [][]string{args}) }

// compareData looks at every key on both sides: a write that went wrong may have been answered right. Then it deletes
// them.
func (p *pair) compareData(at int) (*difference, error) {
	oracle, subject := p.oracle.conns[0], p.subject.conns[0]
	looks := [][]string{{"RESET"}, {"KEYS", "*"}}
	d, replies, err := p.look(at, looks)
	if d != nil || err != nil {
		return d, err
	}
	names, err := replies[1].Strs()
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	looks = looks[:0]
	for _, key := range names {
		looks = append(looks, []string{"TYPE", key}, []string{"PTTL", key}, []string{"OBJECT", "ENCODING", key}, []string{"DEBUG", "DIGEST-VALUE", key})
	}
	if d, replies, err = p.look(at, looks); d != nil || err != nil {
		return d, err
	}
	if p.carries {
		if d, err := p.exchange(at, names, replies); d != nil || err != nil {
			return d, err
		}
	}
	clean := deletes(names)
	if p.lapses {
		clean = append(clean, []string{"FLUSHALL"})
	}
	for _, c := range []*respconn.Conn{oracle, subject} {
		if err := all(c, clean); err != nil {
			return nil, err
		}
	}
	p.oracle.broken, p.subject.broken = false, false
	return nil, nil
}

// look asks both servers the same and gives the oracle's replies.
func (p *pair) look(at int, looks [][]string) (*difference, []reply, error) {
	oracle, err := p.oracle.conns[0].Pipeline(looks)
	if err != nil {
		return nil, nil, err
	}
	subject, err := p.subject.conns[0].Pipeline(looks)
	if err != nil {
		subject = append(subject, closed(err))
	}
	for i := range subject {
		if err != nil && i == len(subject)-1 || !p.agree(looks[i], nil, oracle[i], subject[i]) {
			return &difference{at: at, step: step{args: looks[i]}, oracle: oracle[i].String(), subject: subject[i].String()}, nil, nil
		}
	}
	return nil, oracle, nil
}

// carried is where a value is restored that came from the other server.
const carried = "{t}carried"

// exchange takes each value by DUMP from one server and gives it to both, where the oracle knows the version of the
// payload. The copies must have the same digest.
func (p *pair) exchange(at int, names []string, looks []reply) (*difference, error) {
	for i, name := range names {
		lifetime := "0"
		if looks[4*i+1].Text != "-1" {
			lifetime = "1000000000" // how long does not matter, but digests say whether there is one
		}
		for _, from := range []*side{&p.oracle, &p.subject} {
			payload, err := from.conns[0].Do("DUMP", name)
			if err != nil {
				return nil, err
			}
			copying := [][]string{{"RESTORE", carried, lifetime, payload.Text, "REPLACE"}, {"DEBUG", "DIGEST-VALUE", carried}, {"DEL", carried}}
			oracle, err := p.oracle.conns[0].Pipeline(copying)
			if err != nil {
				return nil, err
			}
			subject, err := p.subject.conns[0].Pipeline(copying)
			if err != nil {
				return nil, err
			}
			newer := strings.HasPrefix(oracle[0].Text, "ERR DUMP payload version") || strings.HasPrefix(oracle[0].Text, "ERR Bad data format")
			if newer && from == &p.subject && subject[0].Text == "OK" {
				continue
			}
			if subject[0].Text != "OK" || !subject[1].Equal(oracle[1]) {
				return &difference{at: at, step: step{args: []string{"RESTORE", carried, "0", "of " + name, fmt.Sprintf("%.300q", payload.Text)}},
					oracle: oracle[0].String() + oracle[1].String(), subject: subject[0].String() + subject[1].String()}, nil
			}
		}
	}
	return nil, nil
}
