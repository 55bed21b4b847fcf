package geo

import "math"

const earthRadius = 6372797.560856 // meters, the mean

// degree is one in radians, rounded as C rounds it.
const degree = float64(math.Pi) / 180

func radians(degrees float64) float64 { return degrees * degree }
func degrees(radians float64) float64 { return radians / degree }

// Distance returns the distance of two positions along the great circle, meters
// (the haversine formula).
func Distance(a, b Point) float64 {
	v := math.Sin((radians(b.Longitude) - radians(a.Longitude)) / 2)
	if v == 0 {
		return latitudeDistance(a.Latitude, b.Latitude)
	}
	from, to := radians(a.Latitude), radians(b.Latitude)
	u := math.Sin((to - from) / 2)
	h := u*u + math.Cos(from)*math.Cos(to)*v*v
	return 2 * earthRadius * math.Asin(math.Sqrt(h))
}

func latitudeDistance(a, b float64) float64 { return earthRadius * math.Abs(radians(b)-radians(a)) }

// Shape is an area to search: a circle, or a box whose sides run north and east.
type Shape struct {
	Center        Point
	Box           bool
	Radius        float64 // of a circle, meters
	Width, Height float64 // of a box, meters
}

// Contains reports whether a position lies in the shape, and how far from its
// center, meters.
func (s *Shape) Contains(p Point) (distance float64, ok bool) {
	if !s.Box {
		distance = Distance(s.Center, p)
		return distance, distance <= s.Radius
	}
	if latitudeDistance(p.Latitude, s.Center.Latitude) > s.Height/2 {
		return 0, false
	}
	if Distance(p, Point{s.Center.Longitude, p.Latitude}) > s.Width/2 {
		return 0, false
	}
	return Distance(s.Center, p), true
}
