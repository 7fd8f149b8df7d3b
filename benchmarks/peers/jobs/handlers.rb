# What a job does, as handlers.py says it, as Sidekiq's jobs.
require 'fiddle'
require 'sidekiq'

PLACE = ENV.fetch('PEERS_DIR')
TALLY, STARTS, JOURNAL = %w[tally starts journal].map do |name|
  File.open("#{PLACE}/#{name}", File::WRONLY | File::APPEND | File::CREAT, 0o600).tap { |file| file.sync = true }
end
# A function of C that is called without giving up the interpreter's lock.
LOCK = Fiddle::Function.new(
  Fiddle.dlopen(nil)['pthread_mutex_lock'], [Fiddle::TYPE_VOIDP], Fiddle::TYPE_INT, need_gvl: true
)

Sidekiq.configure_server { |config| config.redis = { url: ENV.fetch('PEERS_URL') } }
Sidekiq.configure_client { |config| config.redis = { url: ENV.fetch('PEERS_URL') } }
Sidekiq.logger.level = ENV['PEERS_VERBOSE'] == '1' ? Logger::INFO : Logger::WARN

def now_ns
  Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
end

class Noop
  include Sidekiq::Worker
  sidekiq_options retry: 2

  def perform
    TALLY.syswrite('.')
  end
end

class Stamp
  include Sidekiq::Worker
  sidekiq_options retry: 2

  def perform(pushed_ns)
    STARTS.syswrite("#{now_ns - pushed_ns}\n")
  end
end

class Act
  include Sidekiq::Worker
  sidekiq_options retry: 2

  def perform(kind, number, pushed_ns)
    JOURNAL.syswrite("began #{number} #{Process.pid} #{now_ns} #{pushed_ns}\n")
    case kind
    when 'a'
      Fiddle::Function.new(Fiddle.dlopen(nil)['raise'], [Fiddle::TYPE_INT], Fiddle::TYPE_INT).call(11)
    when 'b' then Process.kill('KILL', Process.pid)
    when 'c'
      mutex = Fiddle::Pointer.malloc(64, Fiddle::RUBY_FREE)
      mutex[0, 64] = "\0" * 64
      2.times { LOCK.call(mutex) }
    end
    sleep 0.005
    JOURNAL.syswrite("ended #{number} #{Process.pid} #{now_ns} 0\n")
  end
end
