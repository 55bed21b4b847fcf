// Package geo owns the arithmetic of positions on the earth as GEOADD and its kin
// have it: geohashes of 52 bits, distances, and the boxes that cover an area. Every
// step is that of Redis, so that numbers come out the same. It refuses to know where
// positions are stored and how they are replied.
package geo
