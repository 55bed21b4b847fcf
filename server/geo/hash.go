package geo

import "math"

// Point is a position in degrees.
type Point struct{ Longitude, Latitude float64 }

// The positions that can be stored: the square of the Mercator projection
// (EPSG:3857), degrees.
const (
	MinLongitude, MaxLongitude = -180.0, 180.0
	MinLatitude, MaxLatitude   = -85.05112878, 85.05112878
)

// Valid reports whether a position can be stored.
func (p Point) Valid() bool {
	return p.Longitude >= MinLongitude && p.Longitude <= MaxLongitude && p.Latitude >= MinLatitude && p.Latitude <= MaxLatitude
}

// steps is how many bits of each coordinate a stored geohash has.
const steps = 26

// cell is a geohash: a box of 2^step in each direction over the square. The zero
// value is none.
type cell struct {
	bits uint64 // latitude in the even bits, longitude in the odd
	step uint
}

// interval is a span of one coordinate, degrees.
type interval struct{ min, max float64 }

var (
	longitudes    = interval{MinLongitude, MaxLongitude}
	latitudes     = interval{MinLatitude, MaxLatitude}
	allLatitudes  = interval{-90, 90}
	geohashDigits = "0123456789bcdefghjkmnpqrstuvwxyz"
)

// spread moves the bits of x apart, each to the place of twice its number
// (interleaving as in S. E. Anderson, Bit Twiddling Hacks).
func spread(x uint32) uint64 {
	v := uint64(x)
	v = (v | v<<16) & 0x0000FFFF0000FFFF
	v = (v | v<<8) & 0x00FF00FF00FF00FF
	v = (v | v<<4) & 0x0F0F0F0F0F0F0F0F
	v = (v | v<<2) & 0x3333333333333333
	return (v | v<<1) & 0x5555555555555555
}

// gather is the inverse of spread; it takes the even bits.
func gather(v uint64) uint32 {
	v &= 0x5555555555555555
	v = (v | v>>1) & 0x3333333333333333
	v = (v | v>>2) & 0x0F0F0F0F0F0F0F0F
	v = (v | v>>4) & 0x00FF00FF00FF00FF
	v = (v | v>>8) & 0x0000FFFF0000FFFF
	return uint32(v | v>>16)
}

func encode(p Point, lon, lat interval, step uint) cell {
	x := (p.Longitude - lon.min) / (lon.max - lon.min) * float64(uint64(1)<<step)
	y := (p.Latitude - lat.min) / (lat.max - lat.min) * float64(uint64(1)<<step)
	return cell{spread(uint32(uint64(y))) | spread(uint32(uint64(x)))<<1, step}
}

// area returns the box of a cell.
func (c cell) area() (lon, lat interval) {
	y, x := float64(gather(c.bits)), float64(gather(c.bits>>1))
	size := float64(uint64(1) << c.step)
	height, width := latitudes.max-latitudes.min, longitudes.max-longitudes.min
	lat = interval{latitudes.min + y/size*height, latitudes.min + (y+1)/size*height}
	lon = interval{longitudes.min + x/size*width, longitudes.min + (x+1)/size*width}
	return lon, lat
}

// Encode returns the score of a position, an integer of 52 bits.
func Encode(p Point) float64 { return float64(encode(p, longitudes, latitudes, steps).bits) }

// Decode returns the middle of the box that a score stands for.
func Decode(score float64) Point {
	lon, lat := cell{bits(score), steps}.area()
	return Point{
		Longitude: min(max((lon.min+lon.max)/2, MinLongitude), MaxLongitude),
		Latitude:  min(max((lat.min+lat.max)/2, MinLatitude), MaxLatitude),
	}
}

// bits turns a score into an integer as C does on x86-64.
func bits(score float64) uint64 {
	switch {
	case math.IsNaN(score) || score <= -1<<63 || score >= 1<<64:
		if score >= 1<<64 {
			return 0
		}
		return 1 << 63
	case score < 0:
		return uint64(int64(score))
	}
	return uint64(score)
}

// Text returns the standard geohash, of 11 letters, of what a score stands for. The
// last letter is always 0: there are no more bits.
func Text(score float64) string {
	hash := encode(Decode(score), longitudes, allLatitudes, steps).bits
	var text [11]byte
	for i := range text {
		digit := uint64(0)
		if i < 10 {
			digit = hash >> (52 - (i+1)*5) & 31
		}
		text[i] = geohashDigits[digit]
	}
	return string(text[:])
}
