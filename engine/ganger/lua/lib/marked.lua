-- Whether a delivery that somebody holds was cancelled: field x:<entry id> = "1|<ms>|" of the memo. The mark names
-- the delivery and not the job, so that it can't reach a later life of the same job. Needs memo.
local function marked(id) return redis.call('HEXISTS', memo, 'x:' .. id) == 1 end
