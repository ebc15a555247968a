//! A Redis or Valkey server as a store. Each process opens one connection, when it first needs it.
//! Each call is one round trip on that connection. In a cluster, a node that does not have the keys
//! reports the node that does, and the process continues there.

use std::cell::RefCell;
use std::io::{BufReader, Write as _};
use std::time::Duration;

use zeroize::Zeroizing;

use super::connector::{Connection, Connector, failure};
use super::resp::{self, ReadError, Reply};
use super::{Address, Keys, LARGEST_VALUE, Store, StoreError, StoreSnapshot};
use crate::system::clock::{Clock, Deadline};

/// The maximum number of cluster redirects that one call follows.
const MOST_MOVES: usize = 2;

/// The maximum length of a lease value that is read, in bytes. This program writes 32 bytes.
const LONGEST_HOLDER: usize = 64;

/// Replaces the value of the key if it equals the first argument. The second argument is the new
/// value.
const REPLACE: &[u8] = b"if redis.call('GET',KEYS[1])==ARGV[1] then \
redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) return 1 end return 0";

/// Deletes the key if its value equals the argument.
const REMOVE: &[u8] =
    b"if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('DEL',KEYS[1]) end return 0";

/// A store on a Redis or Valkey server.
pub(crate) struct Redis<'a> {
    link: Connector<'a>,
    clock: &'a dyn Clock,
    /// The node that has the keys. A cluster redirect changes it.
    address: RefCell<Address>,
    channel: RefCell<Option<BufReader<Connection<'a>>>>,
}

type Words<'a> = Vec<&'a [u8]>;

impl<'a> Redis<'a> {
    /// Creates the store without opening a connection.
    pub(crate) fn new(link: Connector<'a>, clock: &'a dyn Clock) -> Self {
        Self {
            address: RefCell::new(link.address.clone()),
            link,
            clock,
            channel: RefCell::default(),
        }
    }

    /// Sends commands in one write and returns their replies. An error reply becomes an `Err`.
    fn call(&self, commands: &[Words<'_>], limit: Duration) -> Result<Vec<Reply>, StoreError> {
        let deadline = Deadline::from_now(self.clock, limit);
        for _ in 0..=MOST_MOVES {
            let replies = self.send(commands, deadline).inspect_err(|_| {
                // Unread replies on this connection must not reach a later call.
                self.channel.take();
            })?;
            let moved = replies.iter().find_map(|reply| match reply {
                Reply::Moved(to) => Some(to),
                _ => None,
            });
            let Some(to) = moved else {
                return replies.into_iter().map(Reply::good).collect();
            };
            let to = self.address.borrow().moved(to);
            let to = to.ok_or(StoreError::Response("MOVED"))?;
            self.address.replace(to);
            self.channel.take();
        }
        Err(StoreError::Response("MOVED"))
    }

    fn send(&self, commands: &[Words<'_>], deadline: Deadline) -> Result<Vec<Reply>, StoreError> {
        let failed = |error: ReadError| match error {
            ReadError::Io(error) => failure(&error, deadline.limit()),
            ReadError::Garbage => StoreError::Garbage,
        };
        let mut slot = self.channel.borrow_mut();
        let mut bytes = Zeroizing::new(Vec::with_capacity(4 * 1024));
        let mut greetings = 0;
        if slot.is_none() {
            let address = self.address.borrow();
            let channel = self.link.open(&address, self.clock, deadline)?;
            slot.replace(BufReader::new(channel));
            greetings = self.greet(&address, &mut bytes);
        }
        let channel = slot.as_mut().ok_or(StoreError::Garbage)?;
        for words in commands {
            resp::command(words, &mut bytes);
        }
        channel.get_ref().set_deadline(deadline);
        let sent = channel.get_mut().write_all(&bytes);
        sent.and_then(|()| channel.get_mut().flush())
            .map_err(|error| failed(ReadError::Io(error)))?;
        for _ in 0..greetings {
            resp::reply(channel).map_err(failed)?.good()?;
        }
        let mut replies = Vec::with_capacity(commands.len());
        for _ in commands {
            replies.push(resp::reply(channel).map_err(failed)?);
        }
        Ok(replies)
    }

    /// Appends the commands that a new connection needs first, and returns their number.
    fn greet(&self, address: &Address, bytes: &mut Vec<u8>) -> usize {
        let account = &self.link.account;
        let mut count = 0;
        if let Some(password) = &account.password {
            let user = account.user.as_ref().map(|user| user.expose().as_bytes());
            let words: Words<'_> = [b"AUTH".as_slice()]
                .into_iter()
                .chain(user)
                .chain([password.expose().as_bytes()])
                .collect();
            resp::command(&words, bytes);
            count += 1;
        }
        if let Address::Host { database, .. } = address
            && *database != 0
        {
            resp::command(&[b"SELECT", database.to_string().as_bytes()], bytes);
            count += 1;
        }
        count
    }
}

/// The commands that read all values, each limited to the length that this program writes.
fn looks(names: &Keys) -> [Vec<Vec<u8>>; 4] {
    let part = |key: &str, most: usize| {
        let last = (most - 1).to_string();
        ["GETRANGE", key, "0", &last]
            .map(|word| word.as_bytes().to_vec())
            .to_vec()
    };
    [
        part(&names.token, LARGEST_VALUE),
        part(&names.cooldown, LARGEST_VALUE),
        part(&names.lease, LONGEST_HOLDER),
        vec![b"TIME".to_vec()],
    ]
}

fn words(command: &[Vec<u8>]) -> Words<'_> {
    command.iter().map(Vec::as_slice).collect()
}

fn seen(replies: &mut dyn Iterator<Item = Reply>) -> Result<StoreSnapshot, StoreError> {
    let mut next = || replies.next().ok_or(StoreError::Garbage);
    Ok(StoreSnapshot {
        token: next()?.value()?,
        cooldown: next()?.value()?,
        lease: next()?.value()?,
        now_ms: next()?.time()?,
    })
}

fn milliseconds(life: Duration) -> Vec<u8> {
    life.as_millis().max(1).to_string().into_bytes()
}

impl Store for Redis<'_> {
    fn look(&self, names: &Keys, limit: Duration) -> Result<StoreSnapshot, StoreError> {
        let looks = looks(names);
        let commands: Vec<Words<'_>> = looks.iter().map(|command| words(command)).collect();
        seen(&mut self.call(&commands, limit)?.into_iter())
    }

    fn take(
        &self,
        names: &Keys,
        key: &str,
        holder: &str,
        life: Duration,
        limit: Duration,
    ) -> Result<(bool, StoreSnapshot), StoreError> {
        let looks = looks(names);
        let life = milliseconds(life);
        let set: Words<'_> = vec![
            b"SET",
            key.as_bytes(),
            holder.as_bytes(),
            b"NX",
            b"PX",
            &life,
        ];
        let mut commands = vec![set];
        commands.extend(looks.iter().map(|command| words(command)));
        let mut replies = self.call(&commands, limit)?.into_iter();
        let is_taken = match replies.next() {
            Some(Reply::Status(_)) => true,
            Some(Reply::Value(None)) => false,
            _ => return Err(StoreError::Garbage),
        };
        Ok((is_taken, seen(&mut replies)?))
    }

    fn put(
        &self,
        key: &str,
        value: &[u8],
        life: Duration,
        limit: Duration,
    ) -> Result<(), StoreError> {
        let life = milliseconds(life);
        let set: Words<'_> = vec![b"SET", key.as_bytes(), value, b"PX", &life];
        self.call(&[set], limit).map(drop)
    }

    fn replace(
        &self,
        key: &str,
        old: &[u8],
        new: &[u8],
        life: Duration,
        limit: Duration,
    ) -> Result<(), StoreError> {
        let life = milliseconds(life);
        let eval: Words<'_> = vec![b"EVAL", REPLACE, b"1", key.as_bytes(), old, new, &life];
        self.call(&[eval], limit).map(drop)
    }

    fn remove(&self, key: &str, value: &[u8], limit: Duration) -> Result<(), StoreError> {
        let eval: Words<'_> = vec![b"EVAL", REMOVE, b"1", key.as_bytes(), value];
        self.call(&[eval], limit).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use time::OffsetDateTime;

    use super::{Address, Connector, Keys, Redis, Store as _, StoreSnapshot, looks, milliseconds};
    use crate::shared_store::Account;
    use crate::system::clock::Clock;
    use crate::system::environment::Environment;
    use crate::system::tls_roots::System;

    fn names() -> Keys {
        Keys {
            token: "t".to_owned(),
            cooldown: "c".to_owned(),
            lease: "l".to_owned(),
            refresh: "r".to_owned(),
        }
    }

    #[test]
    fn no_more_is_read_than_is_ours() {
        let said = looks(&names()).map(|words| String::from_utf8(words.join(&b' ')).unwrap());
        assert_eq!(
            said,
            [
                "GETRANGE t 0 65535",
                "GETRANGE c 0 65535",
                "GETRANGE l 0 63",
                "TIME"
            ]
        );
    }

    #[test]
    fn no_life_is_shorter_than_a_server_takes() {
        assert_eq!(milliseconds(Duration::from_micros(10)), b"1");
        assert_eq!(milliseconds(Duration::from_millis(2500)), b"2500");
    }

    #[derive(Default)]
    struct TestClock(Cell<Duration>);

    impl Clock for TestClock {
        fn now(&self) -> OffsetDateTime {
            OffsetDateTime::UNIX_EPOCH + self.0.get()
        }

        fn elapsed(&self) -> Duration {
            self.0.get()
        }

        fn sleep(&self, pause: Duration) {
            self.0.set(self.0.get() + pause);
        }
    }

    #[test]
    fn each_call_on_a_connection_has_a_time_of_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let serve = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut byte = [0];
            while stream.read(&mut byte).unwrap() > 0 {
                asked.push(byte[0]);
                if asked.ends_with(b"TIME\r\n") {
                    let empty = "$0\r\n\r\n".repeat(3);
                    write!(stream, "{empty}*2\r\n$1\r\n7\r\n$1\r\n0\r\n").unwrap();
                }
            }
        };
        let server = thread::spawn(serve);
        let environment = Environment::Given(BTreeMap::new());
        let system = System::new(&environment);
        let clock = TestClock::default();
        let address = Address::parse(&url, false).unwrap();
        let link = Connector::new(address, Account::default(), &system, None);
        let redis = Redis::new(link, &clock);
        let limit = Duration::from_secs(10);
        let expected = StoreSnapshot {
            now_ms: 7000,
            ..StoreSnapshot::default()
        };
        for _ in 0..2 {
            assert_eq!(redis.look(&names(), limit).unwrap(), expected);
            clock.sleep(limit);
        }
        drop(redis);
        server.join().unwrap();
    }
}
