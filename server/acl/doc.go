// Package acl owns access control: users, their rules, what the rules allow, the
// text of users in config files and ACL files, and the log of what was refused.
// The rules are those of Redis 7.2 (https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/).
//
// It refuses to know sessions, replies, files and the clock: who asks gives the
// arguments, the positions of keys and channels in them, the content of a file and
// the time.
//
// Rules are immutable; a User is a name whose Rules are replaced as a whole, so that
// the path of a command is two loads and, for who may do everything, one test.
package acl
