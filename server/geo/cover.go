package geo

import "math"

// Scores is a range of scores: Min ≤ score < Max.
type Scores struct{ Min, Max float64 }

// mercatorMost is half the equator in the Mercator projection, meters.
const mercatorMost = 20037726.37

// estimate returns the step of cells of which nine cover a circle of a radius,
// meters, about a latitude.
func estimate(radius, latitude float64) uint {
	if radius == 0 {
		return steps
	}
	step := 1
	for ; radius < mercatorMost; radius *= 2 {
		step++
	}
	step -= 2 // so that the circle is within in most cases
	if latitude > 66 || latitude < -66 {
		step--
		if latitude > 80 || latitude < -80 {
			step--
		}
	}
	return uint(min(max(step, 1), steps))
}

// bounds returns the box around a shape.
func (s *Shape) bounds() (lon, lat interval) {
	height, width := s.Radius, s.Radius
	if s.Box {
		height, width = s.Height/2, s.Width/2
	}
	up := degrees(height / earthRadius)
	edge := s.Center.Latitude + up // of the side farther from the equator
	if s.Center.Latitude < 0 {
		edge = s.Center.Latitude - up
	}
	side := degrees(width / earthRadius / math.Cos(radians(edge)))
	return interval{s.Center.Longitude - side, s.Center.Longitude + side}, interval{s.Center.Latitude - up, s.Center.Latitude + up}
}

// moved returns the cell so many columns east and rows north.
func (c cell) moved(east, north int) cell {
	const odd, even = 0xAAAAAAAAAAAAAAAA, 0x5555555555555555
	x, y := c.bits&odd, c.bits&even
	unused := 64 - c.step*2
	x = shift(x, even>>unused, odd>>unused, east)
	y = shift(y, odd>>unused, even>>unused, north)
	return cell{x | y, c.step}
}

// shift adds d to a number whose bits are those of mask; gaps are the bits between.
func shift(v, gaps, mask uint64, d int) uint64 {
	switch {
	case d > 0:
		v += gaps + 1
	case d < 0:
		v = (v | gaps) - (gaps + 1)
	default:
		return v
	}
	return v & mask
}

// The cells around one, in the order in which they are searched: the cell itself,
// north, south, east, west, and the corners.
var around = [9]struct{ east, north int }{{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}}

// Cover returns the ranges of scores in which all positions of a shape lie, in the
// order in which Redis searches them; so it answers in the same order.
func (s *Shape) Cover() []Scores {
	lon, lat := s.bounds()
	radius := s.Radius
	if s.Box {
		radius = math.Sqrt((s.Width/2)*(s.Width/2) + (s.Height/2)*(s.Height/2))
	}
	step := estimate(radius, s.Center.Latitude)
	middle := encode(s.Center, longitudes, latitudes, step)
	if step > 1 && !middle.reaches(lon, lat) {
		step--
		middle = encode(s.Center, longitudes, latitudes, step)
	}
	cellLon, cellLat := middle.area()
	var out []Scores
	last := cell{}
	for i, d := range around {
		if step >= 2 && (d.north < 0 && cellLat.min < lat.min || d.north > 0 && cellLat.max > lat.max ||
			d.east < 0 && cellLon.min < lon.min || d.east > 0 && cellLon.max > lon.max) {
			continue
		}
		c := middle.moved(d.east, d.north)
		if last.step != 0 && i > 0 && c == last {
			continue // of cells this large neighbours may be the same
		}
		up := 52 - 2*c.step
		out = append(out, Scores{float64(c.bits << up), float64((c.bits + 1) << up)})
		if i > 0 {
			last = c
		}
	}
	return out
}

// reaches reports whether a cell and its neighbours cover a box.
func (c cell) reaches(lon, lat interval) bool {
	_, north := c.moved(0, 1).area()
	_, south := c.moved(0, -1).area()
	east, _ := c.moved(1, 0).area()
	west, _ := c.moved(-1, 0).area()
	return north.max >= lat.max && south.min <= lat.min && east.max >= lon.max && west.min <= lon.min
}
