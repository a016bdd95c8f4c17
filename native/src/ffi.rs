//! Types written on `CPython`'s C API: what is called on the hot path costs what a built-in costs.
//!
//! A method made by `PyO3` takes 10 ns before its body begins, one of these takes 4.

use std::ffi::{c_char, c_int, c_ulong, c_void, CStr, CString};
use std::ptr;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi as py;
use pyo3::prelude::*;

/// `method(self, *args, **kwargs)` in the calling convention that builds no tuple.
pub type FastMethod = unsafe extern "C" fn(
    *mut py::PyObject,
    *const *mut py::PyObject,
    py::Py_ssize_t,
    *mut py::PyObject,
) -> *mut py::PyObject;

/// `method(self)` and `method(self, argument)`.
pub type PlainMethod =
    unsafe extern "C" fn(*mut py::PyObject, *mut py::PyObject) -> *mut py::PyObject;

/// What a getter is.
pub type Getter = unsafe extern "C" fn(*mut py::PyObject, *mut c_void) -> *mut py::PyObject;

/// A type in the making.
pub struct TypeSpec {
    name: &'static CStr,
    size: usize,
    flags: c_ulong,
    methods: Vec<py::PyMethodDef>,
    getters: Vec<py::PyGetSetDef>,
    slots: Vec<py::PyType_Slot>,
}

impl TypeSpec {
    pub fn new<T>(name: &'static CStr, doc: &'static CStr) -> Self {
        let mut spec = Self {
            name,
            size: size_of::<T>(),
            flags: py::Py_TPFLAGS_DEFAULT,
            methods: Vec::new(),
            getters: Vec::new(),
            slots: Vec::new(),
        };
        spec.slots
            .push(slot(py::Py_tp_doc, doc.as_ptr() as *mut c_void));
        spec
    }

    pub fn flag(mut self, flag: c_ulong) -> Self {
        self.flags |= flag;
        self
    }

    pub fn slot(mut self, id: c_int, function: *mut c_void) -> Self {
        self.slots.push(slot(id, function));
        self
    }

    /// A method that takes positional and keyword arguments.
    pub fn fast(mut self, name: &'static CStr, method: FastMethod, doc: &'static CStr) -> Self {
        self.methods.push(py::PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: py::PyMethodDefPointer {
                PyCFunctionFastWithKeywords: method,
            },
            ml_flags: py::METH_FASTCALL | py::METH_KEYWORDS,
            ml_doc: doc.as_ptr(),
        });
        self
    }

    /// A method that takes one argument (`METH_O`) or none (`METH_NOARGS`).
    pub fn plain(
        mut self,
        name: &'static CStr,
        method: PlainMethod,
        flags: c_int,
        doc: &'static CStr,
    ) -> Self {
        self.methods.push(py::PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: py::PyMethodDefPointer {
                PyCFunction: method,
            },
            ml_flags: flags,
            ml_doc: doc.as_ptr(),
        });
        self
    }

    pub fn getter(mut self, name: &'static CStr, get: Getter, doc: &'static CStr) -> Self {
        self.getters.push(py::PyGetSetDef {
            name: name.as_ptr(),
            get: Some(get),
            set: None,
            doc: doc.as_ptr(),
            closure: ptr::null_mut(),
        });
        self
    }

    /// Make the type and put it into the module. What it is made of lives as long as the process.
    pub fn build(mut self, module: &Bound<'_, PyModule>) -> PyResult<*mut py::PyTypeObject> {
        self.methods.push(py::PyMethodDef::zeroed());
        self.getters.push(py::PyGetSetDef {
            name: ptr::null(),
            get: None,
            set: None,
            doc: ptr::null(),
            closure: ptr::null_mut(),
        });
        let methods = Box::leak(self.methods.into_boxed_slice()).as_mut_ptr();
        let getters = Box::leak(self.getters.into_boxed_slice()).as_mut_ptr();
        self.slots.push(slot(py::Py_tp_methods, methods.cast()));
        self.slots.push(slot(py::Py_tp_getset, getters.cast()));
        self.slots.push(slot(0, ptr::null_mut()));
        let slots = Box::leak(self.slots.into_boxed_slice()).as_mut_ptr();
        let mut spec = py::PyType_Spec {
            name: self.name.as_ptr(),
            basicsize: c_int::try_from(self.size)?,
            itemsize: 0,
            flags: u32::try_from(self.flags)? as _,
            slots,
        };
        // SAFETY: the spec and all it points to are valid; a null result has an exception set.
        let made = unsafe {
            Bound::from_owned_ptr_or_err(module.py(), py::PyType_FromSpec(&raw mut spec))?
        };
        let name = self.name.to_string_lossy();
        let name = name.rsplit('.').next().unwrap_or_default();
        module.add(name, &made)?;
        Ok(made.into_ptr().cast())
    }
}

fn slot(id: c_int, function: *mut c_void) -> py::PyType_Slot {
    py::PyType_Slot {
        slot: id,
        pfunc: function,
    }
}

/// A new reference to `None`.
#[inline(always)]
pub unsafe fn none() -> *mut py::PyObject {
    unsafe { py::Py_NewRef(py::Py_None()) }
}

/// Allocate an object of a type; null with an exception set when memory is out.
#[inline(always)]
pub unsafe fn allocate<T>(kind: *mut py::PyTypeObject) -> *mut T {
    unsafe { py::PyType_GenericAlloc(kind, 0).cast() }
}

/// Free an object of a heap type and the reference it holds to its type.
#[inline(always)]
pub unsafe fn free(object: *mut py::PyObject) {
    unsafe {
        let kind = py::Py_TYPE(object);
        py::PyObject_Free(object.cast());
        py::Py_DECREF(kind.cast());
    }
}

/// Raises `TypeError`.
#[cold]
pub fn refuse(message: &str) -> *mut py::PyObject {
    Python::attach(|python| PyTypeError::new_err(message.to_owned()).restore(python));
    ptr::null_mut()
}

/// Free an object of a type that Python classes can build on: these may have another way to free.
pub unsafe fn free_by_type(object: *mut py::PyObject) {
    unsafe {
        let kind = py::Py_TYPE(object);
        if let Some(free) = (*kind).tp_free {
            free(object.cast());
        }
        py::Py_DECREF(kind.cast());
    }
}

/// Arguments by name from a fast call: `given[i]` is borrowed, null when absent.
///
/// Raises `TypeError` (returns `false`) for unknown, doubled or missing arguments.
pub unsafe fn arguments<const N: usize>(
    function: &str,
    names: [&Interned; N],
    required: usize,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> Option<[*mut py::PyObject; N]> {
    let mut given = [ptr::null_mut(); N];
    let positional = nargs.unsigned_abs();
    if positional > N {
        return complain(&format!(
            "{function}() takes at most {N} arguments ({positional} given)"
        ));
    }
    for (index, place) in given.iter_mut().enumerate().take(positional) {
        *place = unsafe { *args.add(index) };
    }
    let keywords = if kwnames.is_null() {
        0
    } else {
        unsafe { py::PyTuple_GET_SIZE(kwnames) }
    };
    for index in 0..keywords {
        let name = unsafe { py::PyTuple_GET_ITEM(kwnames, index) };
        let Some(place) = names.iter().position(|known| unsafe { known.is(name) }) else {
            return complain(&format!("{function}() got an unexpected keyword argument"));
        };
        if !given[place].is_null() {
            return complain(&format!("{function}() got an argument twice"));
        }
        given[place] = unsafe { *args.add(positional + index.unsigned_abs()) };
    }
    if given
        .iter()
        .take(required)
        .any(|argument| argument.is_null())
    {
        return complain(&format!("{function}() misses a required argument"));
    }
    Some(given)
}

fn complain<T>(message: &str) -> Option<T> {
    refuse(message);
    None
}

/// A name that arguments are compared with.
pub struct Interned(*mut py::PyObject);

// SAFETY: an immortal reference to an interned str, only compared with the GIL held.
unsafe impl Sync for Interned {}
// SAFETY: as above.
unsafe impl Send for Interned {}

impl Interned {
    pub fn new(name: &str) -> Self {
        let name = CString::new(name).unwrap_or_default();
        // SAFETY: a valid C string; the GIL is held while the module is initialised.
        Self(unsafe { py::PyUnicode_InternFromString(name.as_ptr()) })
    }

    /// The str itself; borrowed.
    pub fn object(&self) -> *mut py::PyObject {
        self.0
    }

    /// Whether `other`, a str, is this name.
    #[inline]
    pub unsafe fn is(&self, other: *mut py::PyObject) -> bool {
        self.0 == other || unsafe { py::PyUnicode_Compare(self.0, other) == 0 }
    }
}

/// The UTF-8 of a str; lone surrogates, which have none, become question marks.
pub unsafe fn text(object: *mut py::PyObject) -> Box<str> {
    let mut size = 0;
    let bytes: *const c_char = unsafe { py::PyUnicode_AsUTF8AndSize(object, &raw mut size) };
    if !bytes.is_null() {
        let slice = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), size.unsigned_abs()) };
        return String::from_utf8_lossy(slice).into();
    }
    unsafe { py::PyErr_Clear() };
    Python::attach(|python| {
        // SAFETY: a borrowed, valid str.
        let object = unsafe { Bound::from_borrowed_ptr(python, object) };
        object
            .call_method1("encode", ("utf-8", "replace"))
            .and_then(|bytes| bytes.extract::<Vec<u8>>())
            .map_or_else(
                |_| "?".into(),
                |bytes| String::from_utf8_lossy(&bytes).into(),
            )
    })
}
