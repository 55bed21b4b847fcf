package gossip

import "github.com/hashicorp/memberlist"

type memberNode = memberlist.Node

func fakeNode(m Member) *memberNode {
	return &memberlist.Node{Name: m.String(), Addr: loopback, Port: 1}
}
