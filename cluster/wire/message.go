package wire

import (
	"fmt"

	"cobble/cluster"
)

// kind tells the body's type. The numbers are part of the format: new kinds
// are added at the end, none is used again.
type kind byte

const (
	kindHello kind = iota + 1
	kindHelloOK
	kindRecords
	kindDigest
	kindFetch
	kindVerify
	kindReport
	kindFail
	kindUnfail
	kindStanding
	kindPrepare
	kindPromise
	kindAccept
	kindAccepted
	kindRefused
	kindCommitted
	kindRead
	kindReadOK
	kindCopy
	kindCopyOK
	kindManualStart
	kindManualOffset
	kindManualCancel
	kindEnd // one past the last
)

// bodyCodec codes one kind of body.
type bodyCodec struct {
	write func(*coder, cluster.Body)
	read  func(*coder) cluster.Body
}

func codecOf[T cluster.Body](fields func(*coder, *T)) bodyCodec {
	return bodyCodec{
		write: func(c *coder, b cluster.Body) { v := b.(T); fields(c, &v) },
		read:  func(c *coder) cluster.Body { var v T; fields(c, &v); return v },
	}
}

var codecs = [kindEnd]bodyCodec{
	kindHello: codecOf(func(c *coder, b *cluster.Hello) { c.bool(&b.Meet); c.id(&b.Handshake); must(c, &b.Record, record) }),
	kindHelloOK: codecOf(func(c *coder, b *cluster.HelloOK) {
		c.id(&b.Handshake)
		must(c, &b.Record, record)
		records(c, &b.Records)
		c.text(&b.YourIP)
	}),
	kindRecords: codecOf(func(c *coder, b *cluster.Records) {
		records(c, &b.Records)
		maybe(c, &b.Electors, electors)
	}),
	kindDigest: codecOf(func(c *coder, b *cluster.Digest) {
		c.uint(&b.Table)
		c.id(&b.Cluster)
		c.uint(&b.ElectorVer)
	}),
	kindFetch: codecOf(func(c *coder, b *cluster.Fetch) {
		list(c, &b.Known, MaxRecords, sizeVersion, version)
		c.bool(&b.Reply)
	}),
	kindVerify: codecOf(func(c *coder, b *cluster.Verify) { c.id(&b.Suspect) }),
	kindReport: codecOf(func(c *coder, b *cluster.Report) {
		c.id(&b.Suspect)
		c.uint(&b.Boot)
		c.bool(&b.Failed)
	}),
	kindFail: codecOf(func(c *coder, b *cluster.Fail) {
		c.id(&b.Target)
		c.uint(&b.Boot)
		list(c, &b.Reporters, MaxMembers, len(cluster.ID{}), (*coder).id)
	}),
	kindUnfail: codecOf(func(c *coder, b *cluster.Unfail) { c.id(&b.Target); c.uint(&b.Boot) }),
	kindStanding: codecOf(func(c *coder, b *cluster.Standing) {
		c.id(&b.Shard)
		c.uint(&b.Term)
		c.uint(&b.Offset)
	}),
	kindPrepare: codecOf(func(c *coder, b *cluster.Prepare) {
		c.id(&b.Cluster)
		c.uint(&b.ElectorVer)
		c.id(&b.Key)
		ballot(c, &b.Ballot)
		maybe(c, &b.Election, election)
	}),
	kindPromise: codecOf(func(c *coder, b *cluster.Promise) {
		c.id(&b.Cluster)
		ballot(c, &b.Ballot)
		register(c, &b.Register)
	}),
	kindAccept: codecOf(func(c *coder, b *cluster.Accept) {
		c.id(&b.Cluster)
		c.uint(&b.ElectorVer)
		ballot(c, &b.Ballot)
		c.id(&b.Key)
		maybe(c, &b.Config, shardConfig)
		maybe(c, &b.Electors, electors)
	}),
	kindAccepted: codecOf(func(c *coder, b *cluster.Accepted) {
		c.id(&b.Cluster)
		c.id(&b.Key)
		ballot(c, &b.Ballot)
	}),
	kindRefused: codecOf(func(c *coder, b *cluster.Refused) {
		c.id(&b.Cluster)
		c.id(&b.Key)
		ballot(c, &b.Ballot)
		why := byte(b.Why)
		c.byte(&why)
		b.Why = cluster.Refusal(why)
		ballot(c, &b.Promised)
		maybe(c, &b.Electors, electors)
		records(c, &b.Records)
	}),
	kindCommitted: codecOf(func(c *coder, b *cluster.Committed) {
		c.id(&b.Cluster)
		maybe(c, &b.Config, shardConfig)
		maybe(c, &b.Electors, electors)
	}),
	kindRead: codecOf(func(c *coder, b *cluster.Read) {
		c.id(&b.Cluster)
		c.uint(&b.ElectorVer)
		c.id(&b.Key)
		c.uint(&b.Nonce)
	}),
	kindReadOK: codecOf(func(c *coder, b *cluster.ReadOK) {
		c.id(&b.Cluster)
		c.uint(&b.Nonce)
		register(c, &b.Register)
		maybe(c, &b.Electors, electors)
	}),
	kindCopy: codecOf(func(c *coder, b *cluster.Copy) {
		must(c, &b.Electors, electors)
		c.uint(&b.Nonce)
	}),
	kindCopyOK: codecOf(func(c *coder, b *cluster.CopyOK) {
		c.id(&b.Cluster)
		c.uint(&b.Ver)
		c.uint(&b.Nonce)
		c.uint(&b.Epoch)
		registers(c, &b.Registers)
	}),
	kindManualStart:  codecOf(func(c *coder, b *cluster.ManualStart) { c.uint(&b.Term) }),
	kindManualOffset: codecOf(func(c *coder, b *cluster.ManualOffset) { c.uint(&b.Term); c.uint(&b.Offset) }),
	kindManualCancel: codecOf(func(c *coder, b *cluster.ManualCancel) { c.uint(&b.Term) }),
}

func kindOf(b cluster.Body) kind {
	switch b.(type) {
	case cluster.Hello:
		return kindHello
	case cluster.HelloOK:
		return kindHelloOK
	case cluster.Records:
		return kindRecords
	case cluster.Digest:
		return kindDigest
	case cluster.Fetch:
		return kindFetch
	case cluster.Verify:
		return kindVerify
	case cluster.Report:
		return kindReport
	case cluster.Fail:
		return kindFail
	case cluster.Unfail:
		return kindUnfail
	case cluster.Standing:
		return kindStanding
	case cluster.Prepare:
		return kindPrepare
	case cluster.Promise:
		return kindPromise
	case cluster.Accept:
		return kindAccept
	case cluster.Accepted:
		return kindAccepted
	case cluster.Refused:
		return kindRefused
	case cluster.Committed:
		return kindCommitted
	case cluster.Read:
		return kindRead
	case cluster.ReadOK:
		return kindReadOK
	case cluster.Copy:
		return kindCopy
	case cluster.CopyOK:
		return kindCopyOK
	case cluster.ManualStart:
		return kindManualStart
	case cluster.ManualOffset:
		return kindManualOffset
	case cluster.ManualCancel:
		return kindManualCancel
	}
	panic(fmt.Sprintf("wire: no format for %T", b))
}

// Append appends the message to out. It panics when the message breaks a limit
// of the format or has a body this package does not know: both are bugs.
func Append(out []byte, m *cluster.Message) []byte {
	c := coder{out: out}
	k := kindOf(m.Body)
	c.out = append(c.out, Version, byte(k))
	head := *m
	header(&c, &head)
	codecs[k].write(&c, m.Body)
	if len(c.out)-len(out) > MaxMessage {
		panic(fmt.Sprintf("wire: a %T of %d bytes", m.Body, len(c.out)-len(out)))
	}
	return c.out
}

func header(c *coder, m *cluster.Message) {
	c.id(&m.From)
	c.uint(&m.Inc)
	c.uint(&m.Boot)
	c.uint(&m.Epoch)
}

// Decode reads one message that fills b. The message shares nothing with b.
// The error is a *VersionError, ErrTruncated or ErrMalformed, the latter two
// possibly wrapped.
func Decode(b []byte) (*cluster.Message, error) {
	c, k, err := open(b)
	if err != nil {
		return nil, err
	}
	if k == 0 || kind(k) >= kindEnd {
		return nil, fmt.Errorf("%w: message of kind %d", ErrMalformed, k)
	}
	m := new(cluster.Message)
	header(c, m)
	m.Body = codecs[k].read(c)
	if err := c.close(); err != nil {
		return nil, err
	}
	return m, nil
}

// open checks size and version and returns a coder behind the kind byte.
func open(b []byte) (*coder, byte, error) {
	if len(b) > MaxMessage {
		return nil, 0, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	if len(b) > 0 && b[0] != Version {
		return nil, 0, &VersionError{Got: b[0]}
	}
	if len(b) < 2 {
		return nil, 0, ErrTruncated
	}
	return &coder{reading: true, in: b[2:]}, b[1], nil
}

func (c *coder) close() error {
	if c.err == nil && len(c.in) > 0 {
		c.malformed("%d bytes behind the end", len(c.in))
	}
	return c.err
}
