package command

import (
	"cmp"
	"slices"
	"strings"

	"cobble/server/geo"
	"cobble/storage"
)

// geoQuery is what GEOSEARCH and its kin ask for.
type geoQuery struct {
	geo.Shape
	unit                           float64 // meters
	withDist, withHash, withCoords bool
	any                            bool
	count                          int64 // 0: all
	order                          int   // 1: nearest first, −1: farthest first
	storeAt                        int   // position of the key to store into; 0: none
	storeDist                      bool
}

const (
	errRadius         Error = "ERR need numeric radius"
	errRadiusNegative Error = "ERR radius cannot be negative"
	errWidth          Error = "ERR need numeric width"
	errHeight         Error = "ERR need numeric height"
	errBoxNegative    Error = "ERR height or width cannot be negative"
	errNoMember       Error = "ERR could not decode requested zset member"
	errCount          Error = "ERR COUNT must be > 0"
	errAny            Error = "ERR the ANY argument requires COUNT argument"
	errStoreOption    Error = "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
	errSearchStore    Error = "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
)

// geosearch is GEOSEARCH, GEOSEARCHSTORE and the four GEORADIUS commands.
func geosearch(c *Call, tx *storage.Tx) error {
	source := c.Args[1]
	if c.Cmd.Name == "geosearchstore" {
		source = c.Args[2]
	}
	z, err := tx.ZSet(source)
	if err != nil {
		return err
	}
	q, err := c.parseGeo(&z)
	if err != nil {
		return err
	}
	if !z.Live() {
		if q.storeAt == 0 {
			c.Out.Array(0)
			return nil
		}
		c.Out.Int(0)
		return tx.StoreZSet(c.Args[q.storeAt], nil)
	}
	cells, n, err := q.cells(&z)
	if err != nil {
		return err
	}
	if q.storeAt != 0 { // without the command: others compute other distances, in the last bits
		if err := tx.Long(n, n*(z.Size()/z.Len()+1)); err != nil {
			return err
		}
	}
	if q.storeAt != 0 && q.order == 0 && q.count == 0 {
		return q.storeAll(c, tx, &z, cells)
	}
	found, err := q.find(c, &z, cells)
	if err != nil {
		return err
	}
	switch {
	case q.order > 0:
		slices.SortStableFunc(found, func(a, b geoFound) int { return cmp.Compare(a.distance, b.distance) })
	case q.order < 0:
		slices.SortStableFunc(found, func(a, b geoFound) int { return cmp.Compare(b.distance, a.distance) })
	}
	if q.count > 0 {
		found = found[:min(q.count, int64(len(found)))]
	}
	if q.storeAt != 0 {
		c.Out.Int(int64(len(found)))
		return q.store(tx, c.Args[q.storeAt], found)
	}
	c.Out.Array(len(found))
	for i := range found {
		q.reply(c, &found[i])
	}
	return nil
}

// geoFound is a member within the shape.
type geoFound struct {
	storage.Scored
	point    geo.Point
	distance float64 // meters
}

// cells returns the ranges of members to look at, and how many they are.
func (q *geoQuery) cells(z *storage.ZSet) (cells []storage.ZRange, n int64, err error) {
	for _, cell := range q.Cover() {
		r, err := z.ByScore(storage.ScoreBound{Score: cell.Min}, storage.ScoreBound{Score: cell.Max, Exclusive: true})
		if err != nil {
			return nil, 0, err
		}
		cells = append(cells, r)
		n += r.Count()
	}
	return cells, n, nil
}

// each calls f with the members in the shape, in the order of the cells they are in, until it returns false.
func (q *geoQuery) each(c *Call, z *storage.ZSet, cells []storage.ZRange, f func(member []byte, score float64, at geo.Point, distance float64) bool) error {
	seen, more := int64(0), true
	for _, r := range cells {
		if !more {
			break
		}
		var err error
		w := z.Walk(r, false, 0)
		for err == nil && more && w.Next() {
			p := geo.Decode(w.Score())
			if d, ok := q.Contains(p); ok {
				more = f(w.Member(), w.Score(), p, d)
			}
			seen++
			err = c.long(seen)
		}
		if closed := w.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// find returns the members in the shape, in the order of the cells they are in.
func (q *geoQuery) find(c *Call, z *storage.ZSet, cells []storage.ZRange) (found []geoFound, err error) {
	var names storage.Texts
	err = q.each(c, z, cells, func(member []byte, score float64, at geo.Point, distance float64) bool {
		found = append(found, geoFound{storage.Scored{Member: names.Keep(member), Score: score}, at, distance})
		return !q.any || int64(len(found)) < q.count
	})
	return found, err
}

// storeAll stores all members in the shape.
func (q *geoQuery) storeAll(c *Call, tx *storage.Tx, z *storage.ZSet, cells []storage.ZRange) error {
	var found storage.ScoredList
	err := q.each(c, z, cells, func(member []byte, score float64, _ geo.Point, distance float64) bool {
		if q.storeDist {
			score = distance / q.unit
		}
		found.Add(member, score)
		return true
	})
	if err != nil {
		return err
	}
	c.Out.Int(int64(len(found.All)))
	return tx.StoreZSet(c.Args[q.storeAt], found.All)
}

func (q *geoQuery) store(tx *storage.Tx, key []byte, found []geoFound) error {
	members := make([]storage.Scored, len(found))
	for i := range found {
		members[i] = found[i].Scored
		if q.storeDist {
			members[i].Score = found[i].distance / q.unit
		}
	}
	return tx.StoreZSet(key, members)
}

func (q *geoQuery) reply(c *Call, m *geoFound) {
	parts := 1
	for _, with := range []bool{q.withDist, q.withHash, q.withCoords} {
		if with {
			parts++
		}
	}
	if parts > 1 {
		c.Out.Array(parts)
	}
	c.Out.Bulk(m.Member)
	if q.withDist {
		c.distance(m.distance / q.unit)
	}
	if q.withHash {
		c.Out.Int(int64(m.Score))
	}
	if q.withCoords {
		c.point(m.point)
	}
}

// parseGeo reads the arguments, and the position of the member that they name.
func (c *Call) parseGeo(z *storage.ZSet) (q geoQuery, err error) {
	options := 2
	switch name := strings.TrimSuffix(c.Cmd.Name, "_ro"); name {
	case "geosearchstore":
		options, q.storeAt = 3, 1
	case "georadius":
		options = 6
		if q.Center, err = parsePoint(c.Args[2], c.Args[3]); err == nil {
			err = q.circle(c.Args[4], c.Args[5])
		}
	case "georadiusbymember":
		options = 5
		if z.Live() {
			if err = q.centerOn(z, c.Args[2]); err == nil {
				err = q.circle(c.Args[3], c.Args[4])
			}
		}
	}
	if err == nil {
		err = q.options(c, z, options)
	}
	if err != nil {
		return q, err
	}
	return q, q.check()
}

// centerOn makes a member the center.
func (q *geoQuery) centerOn(z *storage.ZSet, member []byte) error {
	score, ok, err := z.Score(member)
	if err == nil && !ok {
		err = errNoMember
	}
	q.Center = geo.Decode(score)
	return err
}

func (q *geoQuery) circle(radius, unit []byte) (err error) {
	r, ok := storage.ParseDouble(radius)
	switch {
	case !ok:
		return errRadius
	case r < 0:
		return errRadiusNegative
	}
	q.unit, err = parseUnit(unit)
	q.Radius, q.Box = r*q.unit, false
	return err
}

func (q *geoQuery) box(width, height, unit []byte) (err error) {
	w, ok := storage.ParseDouble(width)
	if !ok {
		return errWidth
	}
	h, ok := storage.ParseDouble(height)
	switch {
	case !ok:
		return errHeight
	case w < 0 || h < 0:
		return errBoxNegative
	}
	q.unit, err = parseUnit(unit)
	q.Width, q.Height, q.Box = w*q.unit, h*q.unit, true
	return err
}

// geoGiven says which of the parts of GEOSEARCH were there.
type geoGiven struct{ member, point, radius, box bool }

func (q *geoQuery) options(c *Call, z *storage.ZSet, from int) error {
	var given geoGiven
	for at := from; at < len(c.Args); {
		used, err := q.common(c, at)
		if used == 0 && err == nil {
			used, err = q.searchOption(c, z, at, &given)
		}
		switch {
		case err != nil:
			return err
		case used == 0:
			return ErrSyntax
		}
		at += used
	}
	if !strings.HasPrefix(c.Cmd.Name, "geosearch") {
		return nil
	}
	name := string(c.Args[0])
	if (q.withDist || q.withHash || q.withCoords) && q.storeAt != 0 {
		return errSearchStore
	}
	if !given.member && !given.point {
		return Error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + name)
	}
	if !given.radius && !given.box {
		return Error("ERR exactly one of BYRADIUS and BYBOX can be specified for " + name)
	}
	return nil
}

// common reads an option that all commands, or all GEORADIUS commands, have at a
// position, and returns how many arguments it takes.
func (q *geoQuery) common(c *Call, at int) (used int, err error) {
	arg, rest := c.Args[at], len(c.Args)-at-1
	stores := c.Cmd.Name == "georadius" || c.Cmd.Name == "georadiusbymember"
	switch {
	case fold(arg, "WITHDIST"):
		q.withDist = true
	case fold(arg, "WITHHASH"):
		q.withHash = true
	case fold(arg, "WITHCOORD"):
		q.withCoords = true
	case fold(arg, "ANY"):
		q.any = true
	case fold(arg, "ASC"):
		q.order = 1
	case fold(arg, "DESC"):
		q.order = -1
	case fold(arg, "COUNT") && rest > 0:
		var ok bool
		if q.count, ok = storage.ParseInt(c.Args[at+1]); !ok {
			return 0, ErrNotInteger
		}
		if q.count <= 0 {
			return 0, errCount
		}
		return 2, nil
	case stores && rest > 0 && (fold(arg, "STORE") || fold(arg, "STOREDIST")):
		q.storeAt, q.storeDist = at+1, fold(arg, "STOREDIST")
		if !c.storesAt(at + 1) {
			return 0, ErrSyntax
		}
		return 2, nil
	default:
		return 0, nil
	}
	return 1, nil
}

// searchOption reads an option that only GEOSEARCH and GEOSEARCHSTORE have.
func (q *geoQuery) searchOption(c *Call, z *storage.ZSet, at int, given *geoGiven) (used int, err error) {
	if !strings.HasPrefix(c.Cmd.Name, "geosearch") {
		return 0, nil
	}
	args := c.Args[at:]
	switch {
	case fold(args[0], "FROMMEMBER") && len(args) > 1 && !given.point:
		given.member = true
		if z.Live() {
			err = q.centerOn(z, args[1])
		}
		return 2, err
	case fold(args[0], "FROMLONLAT") && len(args) > 2 && !given.member:
		given.point = true
		q.Center, err = parsePoint(args[1], args[2])
		return 3, err
	case fold(args[0], "BYRADIUS") && len(args) > 2 && !given.box:
		given.radius = true
		return 3, q.circle(args[1], args[2])
	case fold(args[0], "BYBOX") && len(args) > 3 && !given.radius:
		given.box = true
		return 4, q.box(args[1], args[2], args[3])
	case fold(args[0], "STOREDIST") && q.storeAt != 0:
		q.storeDist = true
		return 1, nil
	}
	return 0, nil
}

// check refuses options that do not go together, and orders what is counted.
func (q *geoQuery) check() error {
	switch {
	case q.storeAt != 0 && (q.withDist || q.withHash || q.withCoords):
		return errStoreOption
	case q.any && q.count == 0:
		return errAny
	case q.count > 0 && q.order == 0 && !q.any:
		q.order = 1
	}
	return nil
}
