package cluster

// message wraps body with this node's header.
func (m *Machine) message(body Body) *Message {
	return &Message{From: m.id(), Inc: m.incarnation, Boot: m.boot, Epoch: m.currentEpoch, Body: body}
}

// send hands body to a known node.
func (m *Machine) send(to ID, body Body) { m.sendAfter(ownRecordDurable, to, body) }

// sendAfter hands body to a known node once token is durable. Messages to this
// node itself come back as events.
func (m *Machine) sendAfter(token Token, to ID, body Body) {
	n := m.find(to)
	if n == nil {
		n = m.ghost(to)
	}
	if n == nil {
		return
	}
	m.effects = append(m.effects, Effect{After: max(token, m.born), Do: Send{To: to, Addr: n.addr(), Msg: m.message(body)}})
}

// push sends body to everybody else.
func (m *Machine) push(body Body) {
	if len(m.nodes) < 2 {
		return
	}
	msg := m.message(body)
	if len(m.nodes) > PushLimit {
		m.doDurably(Broadcast{Msg: msg})
		return
	}
	for _, n := range m.nodes {
		if n != m.me {
			m.doDurably(Send{To: n.id(), Addr: n.addr(), Msg: msg})
		}
	}
}

// receive hears a message. Whoever is not in the table is heard only if it
// says MEET, or answers this node's own MEET.
func (m *Machine) receive(e Receive) {
	msg := e.Msg
	switch body := msg.Body.(type) {
	case Hello:
		m.hello(e, body)
		return
	case HelloOK:
		m.helloOK(e, body)
		return
	}
	n := m.find(msg.From)
	if n == nil {
		if g := m.ghost(msg.From); g != nil && msg.Boot >= g.record.Boot {
			m.receivePaxos(g, msg)
		}
		return
	}
	if n != m.me && msg.Boot < n.boot {
		return // said by an earlier life
	}
	m.heardFrom(n, msg, e.RemoteIP)
	switch body := msg.Body.(type) {
	case Records:
		m.records(n, body)
	case Digest:
		m.digest(n, body)
	case Fetch:
		m.fetch(n, body)
	case Verify:
		m.verify(n, body)
	case Report:
		m.report(n, body)
	case Fail:
		m.failed(n, body)
	case Unfail:
		m.unfailed(n, body)
	case Standing:
		m.standing(n, body)
	case ManualStart:
		m.manualStart(n, body)
	case ManualOffset:
		m.manualOffset(n, body)
	case ManualCancel:
		m.manualCancel(n, body)
	default:
		m.receivePaxos(n, msg)
	}
}

// heardFrom notes that n lives.
func (m *Machine) heardFrom(n *node, msg *Message, remoteIP string) {
	if n == m.me {
		return
	}
	n.heard = m.now
	m.heardBoot(n, msg.Boot)
	if remoteIP != "" && n.record.Addr.IP == "" && n.remoteIP != remoteIP {
		n.remoteIP = remoteIP
		m.changed.view = true
	}
	if msg.Epoch > m.currentEpoch {
		m.currentEpoch = msg.Epoch
		m.changed.table = true
	}
	if n.pfail || n.fail {
		m.probeSoon(n, m.now)
	}
}
