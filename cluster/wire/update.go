package wire

import (
	"fmt"

	"cobble/cluster"
)

// AppendUpdate appends one line of the acceptor file to out. Exactly one field
// beside Cluster must be set.
func AppendUpdate(out []byte, u *cluster.AcceptorUpdate) []byte {
	c := coder{out: append(out, Version, 0)}
	kindAt := len(c.out) - 1
	c.id(&u.Cluster)
	set := 0
	put := func(is bool, k byte, write func()) {
		if is {
			set++
			c.out[kindAt] = k
			write()
		}
	}
	put(u.Register != nil, updateRegister, func() { register(&c, u.Register) })
	put(u.Domain != nil, updateDomain, func() { domain(&c, u.Domain) })
	put(u.Rounds != 0, updateRounds, func() { c.uint(&u.Rounds) })
	put(u.Identity != 0, updateIdentity, func() { c.uint(&u.Identity) })
	if set != 1 {
		panic(fmt.Sprintf("wire: an acceptor update with %d values", set))
	}
	return c.out
}

// DecodeUpdate reads one update that fills b; errors as Decode.
func DecodeUpdate(b []byte) (cluster.AcceptorUpdate, error) {
	var u cluster.AcceptorUpdate
	c, k, err := open(b)
	if err != nil {
		return u, err
	}
	c.id(&u.Cluster)
	switch k {
	case updateRegister:
		must(c, &u.Register, register)
	case updateDomain:
		must(c, &u.Domain, domain)
	case updateRounds:
		c.uint(&u.Rounds)
	case updateIdentity:
		c.uint(&u.Identity)
	default:
		c.malformed("acceptor update of kind %d", k)
	}
	if (k == updateRounds && u.Rounds == 0) || (k == updateIdentity && u.Identity == 0) {
		c.malformed("an empty acceptor update")
	}
	if err := c.close(); err != nil {
		return cluster.AcceptorUpdate{}, err
	}
	return u, nil
}
