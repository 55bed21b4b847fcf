package command

import (
	"testing"
)

// TestScriptParity compares scripts with redis-server, in both protocols.
func TestScriptParity(t *testing.T) {
	sameLines(t, `
		EVAL "return 1" 0
		EVAL "return 3.99" 0
		EVAL "return -3.99" 0
		EVAL "return 'x'" 0
		EVAL "return true" 0
		EVAL "return false" 0
		EVAL "return nil" 0
		EVAL "return {1,2,nil,3}" 0
		EVAL "return {1,2.5,true,false,'a',{1},{ok='fine'},{double=3.5}}" 0
		EVAL "return {KEYS[1],KEYS[2],ARGV[1],ARGV[2]}" 2 {a}1 {a}2 x y
		EVAL "return {map={a=1}}" 0
		EVAL "return {set={a=true}}" 0
		EVAL "return {big_number='123456789012345678901'}" 0
		EVAL "return {verbatim_string={string='abc',format='txt'}}" 0
		EVAL "redis.setresp(3) return {true,false}" 0
		EVAL "return {err='My err'}" 0
		EVAL "return redis.error_reply('My err')" 0
		EVAL "return redis.error_reply('MYERR My err')" 0
		EVAL "return redis.status_reply('FINE')" 0
		EVAL "return redis.sha1hex('')" 0
		EVAL "return redis.call('set',KEYS[1],ARGV[1])" 1 k v
		EVAL "return redis.call('get',KEYS[1])" 1 k
		EVAL "return redis.call('get',KEYS[1])" 1 nokey
		EVAL "return type(redis.call('get',KEYS[1]))" 1 nokey
		EVAL "redis.setresp(3) return type(redis.call('get',KEYS[1]))" 1 nokey
		EVAL "return redis.call('set','undeclared',1)" 0
		GET undeclared
		EVAL "redis.call('set','a',1) redis.call('set','b',2) return redis.call('mget','a','b','k')" 0
		EVAL "redis.call('hset',KEYS[1],'f',1,'g',2) local r = redis.call('hgetall',KEYS[1]) return {#r,r[1],r[2]}" 1 h
		EVAL "redis.setresp(3) local r = redis.call('hgetall',KEYS[1]) return r.map.f" 1 h
		EVAL "return redis.call('incr',KEYS[1])" 1 k
		EVAL "return redis.pcall('incr',KEYS[1])" 1 k
		EVAL "local r = redis.pcall('incr',KEYS[1]) return r.err" 1 k
		EVAL "redis.call('set',KEYS[1],'kept') return redis.call('incr',KEYS[1])" 1 k
		GET k
		EVAL "local ok, e = pcall(redis.call,'incr',KEYS[1]) return {tostring(ok), e.err}" 1 k
		EVAL "return redis.call('get')" 0
		EVAL "return redis.pcall('get')" 0
		EVAL "return redis.call('nosuch')" 0
		EVAL "return redis.call()" 0
		EVAL "return redis.call({})" 0
		EVAL "return redis.call('auth','x')" 0
		EVAL "return redis.call('eval','return 1',0)" 0
		EVAL "return redis.call('multi')" 0
		EVAL "error('boo')" 0
		EVAL "\n\nerror('boo')" 0
		EVAL "error({err='My err'})" 0
		EVAL "error({err='MYERR My err'})" 0
		EVAL "local function f() error('deep') end\nf()" 0
		EVAL "x=1" 0
		EVAL "return foo" 0
		EVAL "string.x=1" 0
		EVAL "redis.call=nil" 0
		EVAL "KEYS[1]='z' return KEYS[1]" 1 k
		EVAL "return rawset(_G,'x',1)" 0
		EVAL "return setmetatable(_G,{})" 0
		EVAL "return getmetatable(_G) == nil" 0
		EVAL "return 1" -1
		EVAL "return 1" x
		EVAL "return 1" 2
		EVAL "return 1"
		EVALSHA abc 0
		EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
		EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
		SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db abc
		SCRIPT LOAD "return 7"
		EVALSHA a73c96f73ce3e8a5e8ea2cc1bd4d8ce5f2e6a1a4 0
		SCRIPT FLUSH
		SCRIPT FLUSH NOW
		SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
		SCRIPT KILL
		SCRIPT nosuch
		SCRIPT HELP
		SCRIPT DEBUG no
		SCRIPT DEBUG maybe
		EVAL_RO "return redis.call('get',KEYS[1])" 1 k
		EVAL_RO "return redis.call('set','x',1)" 0
		EVAL "#!lua flags=no-writes\nreturn redis.call('set','x',1)" 0
		EVAL "#!lua flags=foo\nreturn 1" 0
		EVAL "#!js\nreturn 1" 0
		EVAL "#!lua foo=1\nreturn 1" 0
		EVAL "#!lua\nreturn redis.call('set',KEYS[1],1)" 1 x
		EVAL_RO "#!lua\nreturn 1" 0
		EVAL "#!lua" 0
		EVAL "return tostring(10/3)" 0
		EVAL "return tostring(1e15)" 0
		EVAL "return redis.call('set','n',10/3)" 0
		GET n
		EVAL "return redis.call('set','n',1e15)" 0
		GET n
		EVAL "return redis.call('set','n',-0.1)" 0
		GET n
		EVAL "local s = 0 for i=1,100 do s = s + i end return s" 0
		EVAL "local t = {} for i=1,10 do t[#t+1] = i*i end return t" 0
		EVAL "return {tostring(tonumber('0x10')), tonumber('  12  '), tostring(tonumber('z'))}" 0
		EVAL "return string.format('%5.2f|%d|%s|%q|%x|%05d', 3.14159, 42, 'str', 'q', 255, 42)" 0
		EVAL "return {string.find('hello world','o w')}" 0
		EVAL "return {string.gsub('hello','l','L')}" 0
		EVAL "return string.rep('ab',3)" 0
		EVAL "return ('x'):upper()" 0
		EVAL "return {unpack({1,2,3})}" 0
		EVAL "local t={3,1,2} table.sort(t) return table.concat(t,',')" 0
		EVAL "return redis.REDIS_VERSION_NUM > 0" 0
		EVAL "return {redis.LOG_DEBUG,redis.LOG_VERBOSE,redis.LOG_NOTICE,redis.LOG_WARNING}" 0
		EVAL "return redis.log(1)" 0
		EVAL "return redis.log(5,'x')" 0
		EVAL "return redis.setresp(4)" 0
		EVAL "return redis.sha1hex()" 0
		EVAL "return redis.replicate_commands()" 0
		EVAL "return redis.set_repl(redis.REPL_ALL)" 0
		EVAL "local f = loadstring('return 1+1') return f()" 0
		EVAL "local co = coroutine.create(function() coroutine.yield(1) end) local ok, v = coroutine.resume(co) return v" 0
		EVAL "return redis.call('dbsize')" 0
		EVAL "return redis.call('ping')" 0
		EVAL "return #redis.call('keys','*')" 0
		EVAL "redis.call('flushall') redis.call('set','only',1) return redis.call('dbsize')" 0
		KEYS *
		MULTI
		SET m 1
		EVAL "return redis.call('incr',KEYS[1])" 1 m
		EVAL "return redis.call('set','elsewhere',1)" 0
		GET m
		EXEC
		MULTI
		EVAL "return redis.call('nosuch')" 0
		EVAL "return 1" x
		EXEC
	`)
}

// TestScriptLibraries compares the libraries that scripts have with redis-server's.
func TestScriptLibraries(t *testing.T) {
	sameLines(t, `
		EVAL "return cjson.encode({1,2,3})" 0
		EVAL "return cjson.encode({a=1})" 0
		EVAL "return cjson.encode({})" 0
		EVAL "return cjson.encode({1,2,nil,4})" 0
		EVAL "return cjson.encode('a/b\"c\\n\\0\\127')" 0
		EVAL "return cjson.encode({1.5,1e20,-0.1,10/3,true,false,cjson.null})" 0
		EVAL "return cjson.encode({[10]=1})" 0
		EVAL "return cjson.encode({[1000]=1})" 0
		EVAL "return cjson.encode(1/0)" 0
		EVAL "return cjson.encode(print)" 0
		EVAL "return cjson.encode(function() end)" 0
		EVAL "return cjson.decode('{\"a\":[1,2,{\"b\":null}]}').a[2]" 0
		EVAL "return cjson.decode('[1,2.5,\"x\",true,false,null]')" 0
		EVAL "return cjson.decode('\"\\\\u00e9\\\\ud83d\\\\ude00\\\\n\"')" 0
		EVAL "return cjson.decode('[1,2')" 0
		EVAL "return cjson.decode('{1:2}')" 0
		EVAL "return cjson.decode('nope')" 0
		EVAL "return cjson.decode('')" 0
		EVAL "return cjson.decode('[1] x')" 0
		EVAL "return tostring(cjson.decode('null') == cjson.null)" 0
		EVAL "return cjson.encode(cjson.decode('{\"a\":{\"b\":[1,2,3]}}'))" 0
		EVAL "return cmsgpack.pack(1,-1,200,70000,-200,-70000,2^40,1.5,'abc',true,false,nil)" 0
		EVAL "return cmsgpack.pack({1,2,3})" 0
		EVAL "return cmsgpack.pack({a=1})" 0
		EVAL "return cmsgpack.pack(string.rep('x',300))" 0
		EVAL "return {cmsgpack.unpack(cmsgpack.pack(1,-1,200,70000,-200,-70000,'abc',true,{1,{2}}))}" 0
		EVAL "return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3))}" 0
		EVAL "return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2)}" 0
		EVAL "return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),1)}" 0
		EVAL "return cmsgpack.unpack('\\x93')" 0
		EVAL "return struct.pack('>I2','258')" 0
		EVAL "return struct.pack('<i4hHbB',-2,3,4,-5,6)" 0
		EVAL "return {struct.unpack('>I2bs','\\1\\2\\255abc\\0')}" 0
		EVAL "return {struct.unpack('<i4',struct.pack('<i4',-77))}" 0
		EVAL "return struct.size('>i4hb')" 0
		EVAL "return struct.size('!4bi4')" 0
		EVAL "return {struct.unpack('bc0',struct.pack('bc0',3,'abc'))}" 0
		EVAL "return struct.pack('z',1)" 0
		EVAL "return tostring(struct.unpack('d',struct.pack('d',1.25)))" 0
		EVAL "return {bit.band(0xff,0x0f),bit.bor(1,2),bit.bxor(7,2),bit.bnot(0),bit.lshift(1,31),bit.rshift(-1,28),bit.arshift(-16,2)}" 0
		EVAL "return {bit.rol(0x12345678,12),bit.ror(0x12345678,12),bit.bswap(0x12345678),bit.tobit(0xffffffff)}" 0
		EVAL "return {bit.tohex(255),bit.tohex(255,4),bit.tohex(255,-4),bit.tohex(-1)}" 0
	`)
}

// TestFunctionParity compares libraries of functions with redis-server's.
func TestFunctionParity(t *testing.T) {
	sameLines(t, `
		FUNCTION LIST
		FUNCTION STATS
		FUNCTION LOAD "#!lua name=mylib\nlocal function f(keys,args) return redis.call('set',keys[1],args[1]) end\nredis.register_function('myset',f)\nredis.register_function{function_name='myget',callback=function(keys,args) return redis.call('get',keys[1]) end,flags={'no-writes'},description='gets'}"
		FCALL myset 1 a b
		FCALL myget 1 a
		FCALL_RO myget 1 a
		FCALL_RO myset 1 a c
		FCALL nosuch 0
		FCALL myget x
		FCALL myget -1
		FCALL myget 3
		FUNCTION LIST LIBRARYNAME x*
		FUNCTION LIST foo
		FUNCTION LIST LIBRARYNAME
		FUNCTION STATS
		FUNCTION LOAD "#!lua name=mylib\nredis.register_function('g',function() return 1 end)"
		FUNCTION LOAD REPLACE "#!lua name=mylib\nredis.register_function('g',function() return 1 end)"
		FCALL myget 1 a
		FCALL g 0
		FUNCTION LIST
		FUNCTION LIST WITHCODE LIBRARYNAME my*
		FUNCTION LOAD "#!lua name=other\nredis.register_function('g',function() return 2 end)"
		FUNCTION LOAD "#!lua name=l2\nfoo()"
		FUNCTION LOAD "#!lua name=l2 x=1\nreturn"
		FUNCTION LOAD "#!foo name=l2\nreturn"
		FUNCTION LOAD "#!lua name=l-2\nreturn"
		FUNCTION LOAD "#!lua\nreturn"
		FUNCTION LOAD "return 1"
		FUNCTION LOAD "#!lua name=l2\nreturn 1"
		FUNCTION LOAD "#!lua name=l2\nredis.register_function('f!',function() end)"
		FUNCTION LOAD "#!lua name=l2\nredis.register_function('f',1)"
		FUNCTION LOAD "#!lua name=l2\nredis.register_function('f')"
		FUNCTION LOAD "#!lua name=l2\nredis.register_function{function_name='f'}"
		FUNCTION LOAD "#!lua name=l2\nredis.register_function()"
		FUNCTION LOAD "#!lua name=l2\nx=1"
		FUNCTION LOAD foo "#!lua"
		FUNCTION LOAD "#!lua name=e\nredis.register_function('boom',function() error('x') end)\nredis.register_function('boom2',function() return redis.call('nosuch') end)"
		FCALL boom 0
		FCALL boom2 0
		FUNCTION DELETE nosuch
		FUNCTION DELETE mylib
		FCALL g 0
		FUNCTION KILL
		FUNCTION RESTORE x
		FUNCTION RESTORE xxxxxxxxxxxxxxxxxxxx FOO
		FUNCTION FLUSH x
		FUNCTION FLUSH
		FUNCTION LIST
		FUNCTION HELP
		MULTI
		FUNCTION LOAD "#!lua name=tx\nredis.register_function('t',function(keys) return redis.call('incr',keys[1]) end)"
		FCALL t 1 counter
		EXEC
	`)
}
