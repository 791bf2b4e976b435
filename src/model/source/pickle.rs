//! PyTorch's `.bin`: a zip file of numbers and one pickle that says which are which. The pickle is
//! read as data. Nothing in it is run, nothing is copied twice, and nothing recurses, so that no file
//! makes this take more memory than some dozen times the pickle's own length, which is bounded.

use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::ops::Range;
use std::path::{Path, PathBuf};
use zip::{CompressionMethod, ZipArchive};

/// Bytes of a pickle at most: that of a model of a thousand layers has two million.
const LONGEST: usize = 16 << 20;
/// Dimensions of a tensor at most.
const DIMENSIONS: usize = 8;

/// A checkpoint of PyTorch's, mapped.
pub struct Pickled {
    path: PathBuf,
    map: Mmap,
    tensors: BTreeMap<String, Stored>,
}

/// Where a tensor's numbers are.
struct Stored {
    dtype: DType,
    /// Its storage, in bytes of the file.
    storage: Range<usize>,
    /// Its first number, in numbers from the storage's beginning.
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
}

impl Pickled {
    /// Reads the names; numbers stay in the file.
    ///
    /// # Errors
    /// [`Error::Model`] naming the file, for what is no checkpoint of tensors, or of the form
    /// before PyTorch 1.6.
    pub fn open(path: &Path, map: Mmap) -> Result<Self> {
        let wrong = |why: String| Error::Model(format!("{} is damaged or no PyTorch checkpoint: {why}", path.display()));
        // A pickle of version 2 whose first value is the long integer 0x1950a86a20f9469cfc6c.
        if map.starts_with(&[0x80, 2, 0x8a, 10]) {
            return Err(Error::Model(format!(
                "{} is a PyTorch checkpoint of the form before 1.6, which is not read; this converts it: \
                 python -c \"import torch; p = '{0}'; torch.save(torch.load(p, map_location='cpu', weights_only=True), p)\"",
                path.display()
            )));
        }
        let files = entries(&map).map_err(wrong)?;
        let pickles: Vec<&String> = files.keys().filter(|name| name.ends_with("/data.pkl") || *name == "data.pkl").collect();
        let [pickle] = pickles[..] else {
            return Err(wrong(format!("it holds {} files named data.pkl; there must be one", pickles.len())));
        };
        let root = pickle.strip_suffix("data.pkl").unwrap_or_default();
        if let Some(order) = files.get(&format!("{root}byteorder"))
            && &map[order.clone()] != b"little"
        {
            return Err(wrong("its numbers are not little-endian".into()));
        }
        let text = &map[files[pickle].clone()];
        if text.len() > LONGEST {
            return Err(wrong(format!("its data.pkl has {} bytes; {LONGEST} are read at most", text.len())));
        }
        let storage = |key: &str| files.get(&format!("{root}data/{key}")).cloned();
        let tensors = Machine::run(text).and_then(|machine| machine.tensors(&storage)).map_err(wrong)?;
        if tensors.is_empty() {
            return Err(Error::Model(format!("{} holds no tensor", path.display())));
        }
        Ok(Self { path: path.into(), map, tensors })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Names of the tensors.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.tensors.keys()
    }

    /// One tensor.
    ///
    /// # Errors
    /// What is wrong with it, without names.
    pub fn tensor(&self, name: &str) -> std::result::Result<Tensor, String> {
        let stored = self.tensors.get(name).ok_or("it is not there")?;
        let numbers = &self.map[stored.storage.clone()];
        let bytes = stored.gathered(numbers)?;
        Tensor::from_raw_buffer(&bytes, stored.dtype, &stored.shape, &Device::Cpu).map_err(|e| e.to_string())
    }
}

impl Stored {
    /// Its numbers in order, from its storage's.
    fn gathered<'n>(&self, numbers: &'n [u8]) -> std::result::Result<std::borrow::Cow<'n, [u8]>, String> {
        let size = self.dtype.size_in_bytes();
        let there = numbers.len() / size;
        let beyond = || format!("its shape {:?} reaches beyond its storage of {there} numbers", self.shape);
        let count = self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n <= there).ok_or_else(beyond)?;
        if count == 0 {
            return Ok((&[][..]).into());
        }
        let reach = self.shape.iter().zip(&self.stride).try_fold(self.offset, |at, (&d, &s)| at.checked_add(s.checked_mul(d - 1)?));
        if reach.is_none_or(|last| last >= there) {
            return Err(beyond());
        }
        let mut dense = 1;
        let contiguous = self.shape.iter().zip(&self.stride).rev().all(|(&d, &s)| {
            let fits = d == 1 || s == dense;
            dense *= d;
            fits
        });
        if contiguous {
            return Ok((&numbers[self.offset * size..(self.offset + count) * size]).into());
        }
        let mut out = Vec::with_capacity(count * size);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..count {
            let at = self.offset + index.iter().zip(&self.stride).map(|(i, s)| i * s).sum::<usize>();
            out.extend_from_slice(&numbers[at * size..(at + 1) * size]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < self.shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Ok(out.into())
    }
}

/// The files in a zip file that are stored as they are: where their bytes lie.
fn entries(map: &[u8]) -> std::result::Result<BTreeMap<String, Range<usize>>, String> {
    let mut zip = ZipArchive::new(Cursor::new(map)).map_err(|e| e.to_string())?;
    let mut files = BTreeMap::new();
    let mut total = 0u64;
    for i in 0..zip.len() {
        let entry = zip.by_index_raw(i).map_err(|e| e.to_string())?;
        let name = entry.name().map_err(|e| e.to_string())?.into_owned();
        if entry.compression() != CompressionMethod::Stored || entry.encrypted() || entry.size() != entry.compressed_size() {
            return Err(format!("its file `{name}` is compressed, which PyTorch never does"));
        }
        total = total.saturating_add(entry.size());
        if total > map.len() as u64 {
            return Err("the files in it are longer than itself".into());
        }
        let start = entry.data_start().and_then(|s| usize::try_from(s).ok()).ok_or("its table of files is damaged")?;
        let end = start.checked_add(entry.size() as usize).filter(|&end| end <= map.len()).ok_or("a file in it ends beyond its end")?;
        if files.insert(name.clone(), start..end).is_some() {
            return Err(format!("it holds two files named `{name}`"));
        }
    }
    Ok(files)
}

/// A value, as a place in [`Machine::values`].
type Id = usize;

/// What a pickle can say of tensors.
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
    /// What stands for numbers outside of the pickle.
    Outside(Id),
}

/// Reads a pickle: a stack, a memo, and values that refer to each other by their places.
#[derive(Default)]
struct Machine {
    values: Vec<Value>,
    /// `None` is a mark.
    stack: Vec<Option<Id>>,
    memo: HashMap<u32, Id>,
}

type Read<T> = std::result::Result<T, String>;

/// The bytes of a pickle from a place on.
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
    fn run(text: &[u8]) -> Read<Self> {
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
            // Version and frame say nothing that matters.
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
                let known = *self.memo.get(&key).ok_or("it speaks of a value it never had")?;
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
                // Attributes: a state dictionary's say which version its modules had.
                self.pop()?;
                self.top()?;
            }
            other => return Err(format!("a checkpoint of tensors needs no operation {other:#04x}")),
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
        let Value::List(list) = &mut self.values[top] else { return Err("it appends to what is no list".into()) };
        list.extend(items);
        Ok(())
    }

    fn set(&mut self, items: Vec<(Id, Id)>) -> Read<()> {
        let top = self.top()?;
        let Value::Dict(dict) = &mut self.values[top] else { return Err("it sets items of what is no dictionary".into()) };
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
            usize::try_from(*n).map_err(|_| format!("{n} is no size"))
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
    fn tensors(&self, storage: &dyn Fn(&str) -> Option<Range<usize>>) -> Read<BTreeMap<String, Stored>> {
        let Value::Dict(items) = &self.values[self.top()?] else { return Err("it is no dictionary of tensors".into()) };
        let mut tensors = BTreeMap::new();
        for &(key, value) in items {
            let name = self.as_text(key).map_err(|_| "a key of it is no text")?;
            let tensor =
                self.tensor(value, storage).map_err(|why| format!("its item `{}` is no tensor that can be read: {why}", short(name)))?;
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
