package redisfence

import "fmt"

// check compares the token with the mark, and returns a refusal or nothing. Epochs are decimal
// strings. They are compared by length, then byte by byte: numbers are doubles in Lua, exact up to
// 2^53 only, and the comparison of strings depends on the server's locale. A mark above 2^63-1
// makes every token stale. The parser of that answer then finds that the mark is none.
//
// KEYS: the mark, then the user's keys. ARGV: scope@, epoch and term of the token (all empty for a
// write that needs no token), then the user's arguments.
const check = `local scope, epoch, term = ARGV[1], ARGV[2], ARGV[3]
local mark = redis.call('GET', KEYS[1])
local function compare(a, b)
  if #a ~= #b then return #a - #b end
  for i = 1, #a do
    if a:byte(i) ~= b:byte(i) then return a:byte(i) - b:byte(i) end
  end
  return 0
end
local raises = epoch ~= ''
if raises and mark then
  local rest = mark:sub(#scope + 1)
  local digits, other = rest:match('^([1-9][0-9]*)%.([0-9a-f]+)$')
  if mark:sub(1, #scope) ~= scope or not digits or #other ~= 32 then
    return {'damaged', mark}
  end
  local order = compare(epoch, digits)
  if order < 0 then return {'stale', mark} end
  if order == 0 and term ~= other then return {'conflict', mark} end
  raises = order > 0
end
`

// finish raises the mark after the write, so that a failed write does not raise it. PERSIST removes
// a time to live that somebody gave the mark. It is also a write, so a replica, whose mark may be
// old, refuses it. PERSIST is called even if SET has done the same: a missing right to it then
// shows at the announcement, not at the first write. It cannot come before the user's write: that
// would then be the script's second write, which Redis does not check against maxmemory.
const finish = `if raises then redis.call('SET', KEYS[1], scope .. epoch .. '.' .. term) end
redis.call('PERSIST', KEYS[1])
`

// sound refuses a server that may evict keys without a time to live, if the user may ask for the
// policy.
const sound = `local info = redis.pcall('INFO', 'memory')
local policy = type(info) == 'string' and info:match('maxmemory_policy:([%w-]+)')
if policy and policy:sub(1, 7) == 'allkeys' then return {'evicts', policy} end
`

const (
	announce = sound + raise

	raise = check + finish + `return {'ok'}`

	readMark = `redis.call('PERSIST', KEYS[1])
return {'ok', redis.call('GET', KEYS[1])}`
)

// fenced is the script around a body. The body sees only the user's keys and arguments. It stands
// first, where the locals of check are not in scope. Otherwise a variable that the body forgot to
// declare could be one of them, and move the mark. If the body returns an error reply, it is the
// reply of the whole script, as without the guard.
func fenced(body string) string {
	return fmt.Sprintf(`local function body(KEYS, ARGV)
%s
end
%slocal keys, args = {}, {}
for i = 2, #KEYS do keys[i - 1] = KEYS[i] end
for i = 4, #ARGV do args[i - 3] = ARGV[i] end
local result = body(keys, args)
if type(result) == 'table' and result.err then return result end
%sreturn {'ok', result}`, body, check, finish)
}

// The writes that have their own methods.
const (
	set  = `redis.call('SET', KEYS[1], ARGV[1])`
	hset = `for i = 1, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end`
	del  = `local n = 0
for i = 1, #KEYS do n = n + redis.call('DEL', KEYS[i]) end
return n`
)
