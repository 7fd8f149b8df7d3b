# The producer of Sidekiq: the commands of produce.py.
require 'json'
require_relative 'handlers'

CHUNK = 1000
STARTED = "#{PLACE}/starts"
KINDS = { 'noop' => Noop, 'stamp' => Stamp, 'act' => Act }.freeze

def push_bulk(worker, rows)
  Sidekiq::Client.push_bulk('class' => worker, 'args' => rows)
end

def lines
  File.exist?(STARTED) ? File.read(STARTED).count("\n") : 0
end

def monotonic_s
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

def single(command)
  command['count'].times { Noop.perform_async }
  {}
end

def bulk(command)
  0.step(command['count'] - 1, CHUNK) do |from|
    push_bulk(Noop, Array.new([CHUNK, command['count'] - from].min) { [] })
  end
  {}
end

def idle(command)
  (1..command['count']).each do |number|
    Stamp.perform_async(now_ns)
    deadline = monotonic_s + 10
    sleep 0.001 while lines < number && monotonic_s < deadline
    sleep 0.005 + rand * 0.005
  end
  {}
end

def paced(command)
  rate, pushed, began = command['rate'], 0, monotonic_s
  while (passed = monotonic_s - began) < command['seconds']
    due = [CHUNK, (rate * passed).to_i - pushed].min
    if due > 1
      at = now_ns
      push_bulk(Stamp, Array.new(due) { [at] })
    elsif due.positive?
      Stamp.perform_async(now_ns)
    else
      sleep [0.005, [0.0005, 1.0 / rate].max].min
    end
    pushed += [due, 0].max
  end
  { pushed: pushed }
end

def act(command)
  { ids: command['jobs'].map { |kind, number| Act.perform_async(kind, number, now_ns) } }
end

def failures(_command)
  require 'sidekiq/api'
  told = [*Sidekiq::RetrySet.new, *Sidekiq::DeadSet.new]
  { records: told.map { |job| "#{job.jid} #{job.args} #{job['error_class']} #{job['error_message']}" } }
end

$stdout.sync = true
puts JSON.generate(ready: true, bulk: true)
while (line = $stdin.gets)
  command = JSON.parse(line)
  began, cpu = monotonic_s, Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
  answer = send(command['op'], command)
  answer[:s] = monotonic_s - began
  answer[:cpu_s] = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - cpu
  puts JSON.generate(answer)
end
