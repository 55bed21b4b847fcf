package command

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"

	"cobble/server/geo"
	"cobble/storage"
)

func geoCommands() []Command {
	const (
		costSearch = "O(N+log(M)) where N is the number of members in the cells around the area and M that of all."
		costAdd    = "O(log(N)) for each member, where N is the number of members."
		costAsked  = "O(log(N)) for each member asked for, where N is the number of members."
	)
	stores := func(from int) []KeySpec {
		spec := KeySpec{Flags: KeyOW | KeyUpdate, Keyword: "STORE", StartFrom: from, Step: 1, KeyNum: -1}
		dist := spec
		dist.Keyword = "STOREDIST"
		return append(Key(KeyRO|KeyAccess, 1, 1, 1), spec, dist)
	}
	rows := []Command{
		{Name: "geoadd", Arity: -5, Flags: Write | DenyOOM, Keys: zsetUpdate, Since: "3.2.0",
			Summary: "Adds positions to a sorted set, which is created if there is none.", Complexity: costAdd, Run: geoadd},
		{Name: "geodist", Arity: -4, Flags: ReadOnly, Keys: zsetRead, Since: "3.2.0",
			Summary: "Returns the distance of two members.", Complexity: "O(1)", Run: geodist},
		{Name: "geohash", Arity: -2, Flags: ReadOnly, Keys: zsetRead, Since: "3.2.0",
			Summary: "Returns the geohashes of members as texts.", Complexity: costAsked, Run: geohash},
		{Name: "geopos", Arity: -2, Flags: ReadOnly, Keys: zsetRead, Since: "3.2.0",
			Summary: "Returns the longitudes and latitudes of members.", Complexity: costAsked, Run: geopos},
		{Name: "georadius", long: true, Arity: -6, Flags: Write | DenyOOM | MovableKeys, Keys: stores(6), Since: "3.2.0",
			Summary: "Returns, or stores, the members within a distance of a position.", Complexity: costSearch, Run: geosearch},
		{Name: "georadius_ro", Arity: -6, Flags: ReadOnly, Keys: zsetRead, Since: "3.2.10",
			Summary: "Returns the members within a distance of a position.", Complexity: costSearch, Run: geosearch},
		{Name: "georadiusbymember", long: true, Arity: -5, Flags: Write | DenyOOM | MovableKeys, Keys: stores(5), Since: "3.2.0",
			Summary: "Returns, or stores, the members within a distance of a member.", Complexity: costSearch, Run: geosearch},
		{Name: "georadiusbymember_ro", Arity: -5, Flags: ReadOnly, Keys: zsetRead, Since: "3.2.10",
			Summary: "Returns the members within a distance of a member.", Complexity: costSearch, Run: geosearch},
		{Name: "geosearch", Arity: -7, Flags: ReadOnly, Keys: zsetRead, Since: "6.2.0",
			Summary: "Returns the members within a circle or a box.", Complexity: costSearch, Run: geosearch},
		{Name: "geosearchstore", long: true, Arity: -8, Flags: Write | DenyOOM, Since: "6.2.0",
			Keys:    append(Key(KeyOW|KeyUpdate, 1, 1, 1), Key(KeyRO|KeyAccess, 2, 2, 1)...),
			Summary: "Stores the members within a circle or a box.", Complexity: costSearch, Run: geosearch},
	}
	for i := range rows {
		rows[i].Group, rows[i].Categories = "geo", "@geo"
	}
	return rows
}

const errUnit Error = "ERR unsupported unit provided. please use M, KM, FT, MI"

// parseUnit returns how many meters a unit has.
func parseUnit(text []byte) (float64, error) {
	switch {
	case fold(text, "M"):
		return 1, nil
	case fold(text, "KM"):
		return 1000, nil
	case fold(text, "FT"):
		return 0.3048, nil
	case fold(text, "MI"):
		return 1609.34, nil
	}
	return 0, errUnit
}

func parsePoint(longitude, latitude []byte) (p geo.Point, err error) {
	var ok bool
	if p.Longitude, ok = storage.ParseDouble(longitude); !ok {
		return p, ErrNotFloat
	}
	if p.Latitude, ok = storage.ParseDouble(latitude); !ok {
		return p, ErrNotFloat
	}
	if !p.Valid() {
		return p, Error("ERR invalid longitude,latitude pair " + printf(p.Longitude) + "," + printf(p.Latitude))
	}
	return p, nil
}

// printf is C's "%f".
func printf(f float64) string {
	if math.IsInf(f, 0) {
		return storage.LongText(f)
	}
	return fmt.Sprintf("%f", f)
}

func geoadd(c *Call, tx *storage.Tx) error {
	var o zaddOptions
	args := c.Args[2:]
options:
	for ; len(args) > 0; args = args[1:] {
		switch {
		case fold(args[0], "NX"):
			o.IfAbsent = true
		case fold(args[0], "XX"):
			o.IfPresent = true
		case fold(args[0], "CH"):
			o.changed = true
		default:
			break options
		}
	}
	if len(args) == 0 || len(args)%3 != 0 || o.IfAbsent && o.IfPresent {
		return ErrSyntax
	}
	scores := make([]float64, 0, len(args)/3)
	for i := 0; i < len(args); i += 3 {
		p, err := parsePoint(args[i], args[i+1])
		if err != nil {
			return err
		}
		scores = append(scores, geo.Encode(p))
	}
	return c.addScored(tx, o, scores, args[2:], 3)
}

func geohash(c *Call, tx *storage.Tx) error {
	return c.eachScore(tx, func(score float64, ok bool) {
		if ok {
			c.Out.BulkString(geo.Text(score))
		} else {
			c.Out.Null()
		}
	})
}

func geopos(c *Call, tx *storage.Tx) error {
	return c.eachScore(tx, func(score float64, ok bool) {
		if ok {
			c.point(geo.Decode(score))
		} else {
			c.Out.NullArray()
		}
	})
}

func (c *Call) point(p geo.Point) {
	c.Out.Array(2)
	c.humanDouble(p.Longitude)
	c.humanDouble(p.Latitude)
}

// humanDouble writes a number with up to 17 digits after the point.
func (c *Call) humanDouble(f float64) {
	var room [64]byte
	text := bytes.TrimSuffix(bytes.TrimRight(strconv.AppendFloat(room[:0], f, 'f', 17, 64), "0"), []byte("."))
	if string(text) == "-0" {
		text = text[1:]
	}
	if c.Out.Proto() == 2 {
		c.Out.Bulk(text)
		return
	}
	c.Out.Raw([]byte{','})
	c.Out.Raw(text)
	c.Out.Raw([]byte("\r\n"))
}

// distance writes a distance with four digits after the point.
func (c *Call) distance(d float64) {
	var room [64]byte
	c.Out.Bulk(strconv.AppendFloat(room[:0], d, 'f', 4, 64))
}

func geodist(c *Call, tx *storage.Tx) error {
	unit := 1.0
	switch len(c.Args) {
	case 4:
	case 5:
		var err error
		if unit, err = parseUnit(c.Args[4]); err != nil {
			return err
		}
	default:
		return ErrSyntax
	}
	z, err := tx.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	if err := z.Prefetch(c.Args[2:4], 1); err != nil {
		return err
	}
	from, ok1, err := z.Score(c.Args[2])
	if err != nil {
		return err
	}
	to, ok2, err := z.Score(c.Args[3])
	if err != nil {
		return err
	}
	if !ok1 || !ok2 {
		c.Out.Null()
		return nil
	}
	c.distance(geo.Distance(geo.Decode(from), geo.Decode(to)) / unit)
	return nil
}

// storesAt reports whether the key that a search stores into is among those whose
// slots are locked: of several STORE options only the first is.
func (c *Call) storesAt(at int) bool {
	keys, err := c.Cmd.AppendKeys(nil, c.Args)
	return err == nil && slices.Contains(keys, at)
}
