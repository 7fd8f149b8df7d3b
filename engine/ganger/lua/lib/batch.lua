-- A batch as its head tells it, and what follows from its counts. Of each callback the head holds its parcel
-- (<which>_job) and how far it is (<which>): nothing = its time has not come, fired = on its way, none = there is
-- nothing to fire, else how its job ended. A failed batch stays for 30 days after its last change, as one that nobody
-- commits does; one that is over for a day. Needs head, ended, ok, outbox and lib now.
local batch, now = {}, now_ms()
local function is_batch()
  local names = {'state', 'total', 'ended', 'ok', 'complete', 'success', 'death', 'parent', 'told', 'kept', 'bid'}
  for i, value in ipairs(redis.call('HMGET', head, unpack(names))) do batch[names[i]] = value or nil end
  for _, name in ipairs({'total', 'ended', 'ok', 'kept'}) do batch[name] = tonumber(batch[name] or 0) end
  return batch.state
end
local function note(name, value)
  batch[name] = value
  redis.call('HSET', head, name, value)
end
local function fire(which)
  local parcel = redis.call('HGET', head, which .. '_job')
  if parcel then redis.call('HSET', outbox, 'j:' .. string.match(parcel, '\n(%S+)'), parcel) end
  note(which, parcel and 'fired' or 'none')
  redis.call('HSET', head, which .. '_ms', whole(now))
end
-- For a call that changes nothing: who waits for replicas waits for this connection's last write, so there must be one.
local function rewrite() note('state', batch.state) end
-- The first death of a member, or of a member of a batch inside this one.
local function died()
  if batch.death then return end
  fire('death')
  if batch.parent then redis.call('HSET', outbox, 'b:' .. string.match(batch.parent, '^[^:]+') .. ':child', 'died') end
end
local function is_over(which) return batch[which] and batch[which] ~= 'fired' end
local function owes() return redis.call('HLEN', outbox) - 1 end
-- To be called after any change.
local function follow()
  if batch.state == 'committed' then
    if not batch.complete and batch.ended == batch.total then fire('complete') end
    if is_over('complete') and not batch.success and batch.ok == batch.total then fire('success') end
  end
  if batch.parent then
    local verdict
    if batch.success == 'succeeded' or batch.success == 'none' then
      verdict = 'succeeded'
    elseif is_over('success') or not batch.success and is_over('complete') and batch.ended == batch.total then
      verdict = 'failed'
    end
    if verdict and batch.told ~= verdict and batch.told ~= 'succeeded' then
      redis.call('HSET', outbox, 'b:' .. batch.parent, verdict .. ' ' .. (batch.bid or ''))
      note('told', verdict)
    end
  end
  note('active_ms', whole(now))
  local keep = is_over('success') and 86400000 or (batch.complete or batch.state == 'open') and 2592000000
  for _, key in ipairs({head, ended, ok, outbox}) do
    if keep then redis.call('PEXPIRE', key, keep) else redis.call('PERSIST', key) end
  end
end
