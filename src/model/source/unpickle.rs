//! What a pickle says about tensors: its stack machine, with calls that are recorded, not made.

use super::pickle::Stored;
use candle_core::DType;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The most dimensions of a tensor.
const DIMENSIONS: usize = 8;

/// A value, as an index into [`Machine::values`].
type Id = usize;

/// What a pickle can say about tensors.
enum Value {
    None,
    Bool,
    Int(i64),
    Float,
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A function or class: `module name`.
    Global(String),
    /// A call that is not made.
    Call(Id, Id),
    /// A reference to numbers outside the pickle.
    Outside(Id),
}

/// Reads a pickle: a stack, a memo, and values that refer to each other by index.
#[derive(Default)]
pub(super) struct Machine {
    values: Vec<Value>,
    /// `None` is a mark.
    stack: Vec<Option<Id>>,
    memo: HashMap<u32, Id>,
}

type Read<T> = std::result::Result<T, String>;

/// A cursor over the bytes of a pickle.
struct Bytes<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Bytes<'t> {
    fn take(&mut self, n: usize) -> Read<&'t [u8]> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.text.len()).ok_or("its data.pkl ends in the middle")?;
        let piece = &self.text[self.at..end];
        self.at = end;
        Ok(piece)
    }

    /// A little-endian number of up to eight bytes.
    fn number(&mut self, n: usize) -> Read<u64> {
        Ok(self.take(n)?.iter().rev().fold(0, |sum, &b| sum << 8 | u64::from(b)))
    }

    fn text(&mut self, n: usize) -> Read<String> {
        String::from_utf8(self.take(n)?.to_vec()).map_err(|_| "its data.pkl holds a text that is not UTF-8".into())
    }

    fn line(&mut self) -> Read<String> {
        let n = self.text[self.at..].iter().position(|&b| b == b'\n').ok_or("its data.pkl ends in the middle")?;
        let line = self.text(n)?;
        self.at += 1;
        Ok(line)
    }
}

impl Machine {
    /// Reads a pickle to its end.
    ///
    /// # Errors
    /// What is wrong with it, and at which byte.
    pub(super) fn run(text: &[u8]) -> Read<Self> {
        let mut machine = Self::default();
        let mut bytes = Bytes { text, at: 0 };
        loop {
            let at = bytes.at;
            let op = bytes.take(1)?[0];
            if op == b'.' {
                return Ok(machine);
            }
            machine.step(op, &mut bytes).map_err(|why| format!("{why} (byte {at} of data.pkl)"))?;
        }
    }

    fn step(&mut self, op: u8, bytes: &mut Bytes<'_>) -> Read<()> {
        match op {
            // The version and the length of a frame do not matter.
            0x80 => drop(bytes.take(1)?),
            0x95 => drop(bytes.take(8)?),
            b'N' => self.push(Value::None),
            0x88 | 0x89 => self.push(Value::Bool),
            b'K' => {
                let n = bytes.number(1)?;
                self.push(Value::Int(n as i64));
            }
            b'M' => {
                let n = bytes.number(2)?;
                self.push(Value::Int(n as i64));
            }
            b'J' => {
                let n = bytes.number(4)?;
                self.push(Value::Int(i64::from(n as u32 as i32)));
            }
            0x8a => {
                let n = bytes.number(1)? as usize;
                let long = bytes.take(n)?;
                if n > 8 {
                    return Err("it holds an integer of more than 64 bits".into());
                }
                let sign = if long.last().is_some_and(|b| b & 0x80 != 0) { -1i64 } else { 0 };
                self.push(Value::Int(long.iter().rev().fold(sign, |sum, &b| sum << 8 | i64::from(b))));
            }
            b'G' => {
                bytes.take(8)?;
                self.push(Value::Float);
            }
            b'X' | 0x8c | 0x8d => {
                let n = bytes.number(if op == b'X' {
                    4
                } else if op == 0x8c {
                    1
                } else {
                    8
                })?;
                let text = bytes.text(usize::try_from(n).unwrap_or(usize::MAX))?;
                self.push(Value::Text(text));
            }
            b'c' => {
                let (module, name) = (bytes.line()?, bytes.line()?);
                self.push(Value::Global(format!("{module} {name}")));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let global = format!("{} {}", self.as_text(module)?, self.as_text(name)?);
                self.push(Value::Global(global));
            }
            b'(' => self.stack.push(None),
            b')' => self.push(Value::Tuple(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            0x85..=0x87 => {
                let n = usize::from(op - 0x84);
                let mut items = Vec::with_capacity(n);
                for _ in 0..n {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.push(Value::Tuple(items));
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            b'd' => {
                let pairs = pairs(&self.pop_to_mark()?)?;
                self.push(Value::Dict(pairs));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![(key, value)])?;
            }
            b'u' => {
                let items = pairs(&self.pop_to_mark()?)?;
                self.set(items)?;
            }
            b'q' | b'r' => {
                let key = bytes.number(if op == b'q' { 1 } else { 4 })? as u32;
                let top = self.top()?;
                self.memo.insert(key, top);
            }
            0x94 => {
                let (key, top) = (self.memo.len() as u32, self.top()?);
                self.memo.insert(key, top);
            }
            b'h' | b'j' => {
                let key = bytes.number(if op == b'h' { 1 } else { 4 })? as u32;
                let known = *self.memo.get(&key).ok_or("it refers to a value it never had")?;
                self.stack.push(Some(known));
            }
            b'Q' => {
                let key = self.pop()?;
                self.push(Value::Outside(key));
            }
            b'R' | 0x81 => {
                let (args, function) = (self.pop()?, self.pop()?);
                // An ordered dictionary is begun empty and filled afterwards.
                let ordered = matches!(&self.values[function], Value::Global(name) if name == "collections OrderedDict");
                self.push(if ordered { Value::Dict(Vec::new()) } else { Value::Call(function, args) });
            }
            b'b' => {
                // Attributes: those of a state dictionary say which version its modules had.
                self.pop()?;
                self.top()?;
            }
            other => return Err(format!("it uses the operation {other:#04x}, which no checkpoint of tensors needs")),
        }
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.stack.push(Some(self.values.len()));
        self.values.push(value);
    }

    fn pop(&mut self) -> Read<Id> {
        self.stack.pop().flatten().ok_or_else(|| "its stack is empty".into())
    }

    fn top(&self) -> Read<Id> {
        self.stack.last().copied().flatten().ok_or_else(|| "its stack is empty".into())
    }

    fn pop_to_mark(&mut self) -> Read<Vec<Id>> {
        let mark = self.stack.iter().rposition(Option::is_none).ok_or("its stack has no mark")?;
        let items = self.stack.split_off(mark + 1).into_iter().flatten().collect();
        self.stack.pop();
        Ok(items)
    }

    fn append(&mut self, items: Vec<Id>) -> Read<()> {
        let top = self.top()?;
        let Value::List(list) = &mut self.values[top] else { return Err("it appends to something that is not a list".into()) };
        list.extend(items);
        Ok(())
    }

    fn set(&mut self, items: Vec<(Id, Id)>) -> Read<()> {
        let top = self.top()?;
        let Value::Dict(dict) = &mut self.values[top] else { return Err("it sets items of something that is not a dictionary".into()) };
        dict.extend(items);
        Ok(())
    }

    fn as_text(&self, id: Id) -> Read<&str> {
        if let Value::Text(text) = &self.values[id] { Ok(text) } else { Err("a text is missing".into()) }
    }

    fn as_tuple(&self, id: Id) -> Read<&[Id]> {
        if let Value::Tuple(items) = &self.values[id] { Ok(items) } else { Err("a tuple is missing".into()) }
    }

    fn as_size(&self, id: Id) -> Read<usize> {
        if let Value::Int(n) = &self.values[id] {
            usize::try_from(*n).map_err(|_| format!("{n} is not a size"))
        } else {
            Err("a size is missing".into())
        }
    }

    fn as_sizes(&self, id: Id) -> Read<Vec<usize>> {
        let sizes = self.as_tuple(id)?;
        if sizes.len() > DIMENSIONS {
            return Err(format!("it has {} dimensions", sizes.len()));
        }
        sizes.iter().map(|&n| self.as_size(n)).collect()
    }

    /// The tensors of the dictionary that the pickle is.
    ///
    /// # Errors
    /// What it is instead, or the first item that is no tensor, and why.
    pub(super) fn tensors(&self, storage: &dyn Fn(&str) -> Option<Range<usize>>) -> Read<BTreeMap<String, Stored>> {
        let Value::Dict(items) = &self.values[self.top()?] else { return Err("it is not a dictionary of tensors".into()) };
        let mut tensors = BTreeMap::new();
        for &(key, value) in items {
            let name = self.as_text(key).map_err(|_| "one of its keys is not text")?;
            let tensor =
                self.tensor(value, storage).map_err(|why| format!("its item `{}` is not a tensor that can be read: {why}", short(name)))?;
            tensors.insert(name.to_owned(), tensor);
        }
        Ok(tensors)
    }

    /// A tensor from the call that would make it.
    fn tensor(&self, id: Id, storage: &dyn Fn(&str) -> Option<Range<usize>>) -> Read<Stored> {
        let (mut name, mut args) = self.call(id)?;
        if name == "torch._tensor _rebuild_from_type_v2" {
            // function, class, arguments, attributes.
            let &[function, _, of_function, ..] = self.as_tuple(args)? else { return Err("its arguments are missing".into()) };
            let Value::Global(function) = &self.values[function] else { return Err("its function is missing".into()) };
            (name, args) = (function, of_function);
        }
        if name == "torch._utils _rebuild_parameter" {
            let &[of, ..] = self.as_tuple(args)? else { return Err("its arguments are missing".into()) };
            (name, args) = self.call(of)?;
        }
        if name != "torch._utils _rebuild_tensor_v2" {
            return Err(format!("it is made by `{}`", short(name)));
        }
        let &[outside, offset, shape, stride, ..] = self.as_tuple(args)? else { return Err("its arguments are missing".into()) };
        let (offset, shape, stride) = (self.as_size(offset)?, self.as_sizes(shape)?, self.as_sizes(stride)?);
        if shape.len() != stride.len() {
            return Err("its shape and its strides differ in length".into());
        }
        let Value::Outside(key) = &self.values[outside] else { return Err("its storage is missing".into()) };
        let &[_, class, key, ..] = self.as_tuple(*key)? else { return Err("its storage is missing".into()) };
        let Value::Global(class) = &self.values[class] else { return Err("its storage has no type".into()) };
        let dtype = match class.as_str() {
            "torch FloatStorage" => DType::F32,
            "torch HalfStorage" => DType::F16,
            "torch BFloat16Storage" => DType::BF16,
            "torch DoubleStorage" => DType::F64,
            other => return Err(format!("its type is `{}`; f32, f16 and bf16 can be run", short(other))),
        };
        let key = self.as_text(key)?;
        let storage = storage(key).ok_or_else(|| format!("its storage `{}` is not in the file", short(key)))?;
        Ok(Stored { dtype, storage, offset, shape, stride })
    }

    /// Function and arguments of a call.
    fn call(&self, id: Id) -> Read<(&String, Id)> {
        let Value::Call(function, args) = &self.values[id] else { return Err("it is a plain value".into()) };
        let Value::Global(name) = &self.values[*function] else { return Err("its function is missing".into()) };
        Ok((name, *args))
    }
}

fn pairs(items: &[Id]) -> Read<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    if rest.is_empty() { Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()) } else { Err("a key has no value".into()) }
}

/// A name for a message, however long it is.
fn short(name: &str) -> String {
    name.chars().take(80).collect()
}
