//! What this plugin uses of Retort's plugin ABI 1, written by hand after `retort/abi/*.h`; those headers say what each
//! field means. A plugin that uses more adds it here in the same way: fields in the headers' order, `repr(C)`, and the
//! size as `retort/abi/layout.h` has it.
#![allow(dead_code)]

use std::os::raw::c_void;

pub const ABI_MAJOR: u32 = 1;
pub const ABI_MINOR: u32 = 0;

/// UTF-8, not terminated. `data` may be null when `size` is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    pub data: *const u8,
    pub size: u64,
}

impl Str {
    pub const fn new(text: &'static str) -> Str {
        Str { data: text.as_ptr(), size: text.len() as u64 }
    }
    /// # Safety
    /// The host lent this string for the call.
    pub unsafe fn is(&self, text: &str) -> bool {
        self.size as usize == text.len()
            && (self.size == 0 || std::slice::from_raw_parts(self.data, text.len()) == text.as_bytes())
    }
}

pub const ERROR_INVALID_ARGUMENT: i32 = 1;
pub const ERROR_INTERNAL: i32 = 4;

/// Made and freed by the host.
#[repr(C)]
pub struct Error {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct Host {
    pub struct_size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub reserved: u32,
    pub product_version: Str,
    pub error_new: unsafe extern "C" fn(code: i32, message: Str) -> *mut Error,
    pub error_code: unsafe extern "C" fn(*const Error) -> i32,
    pub error_message: unsafe extern "C" fn(*const Error) -> Str,
    pub error_free: unsafe extern "C" fn(*mut Error),
    pub log: unsafe extern "C" fn(level: i32, message: Str),
    pub should_stop: unsafe extern "C" fn() -> i32,
    pub get_extension: unsafe extern "C" fn(id: Str) -> *const c_void,
}

#[repr(C)]
pub struct MetricSink {
    pub struct_size: u32,
    pub reserved: u32,
    pub context: *mut c_void,
    pub metric: unsafe extern "C" fn(context: *mut c_void, name: Str, value: f64),
}

pub const DTYPE_FLOAT: u8 = 2;
pub const DEVICE_CPU: i32 = 1;

#[repr(C)]
pub struct Tensor {
    pub struct_size: u32,
    pub flags: u32,
    pub data: *mut c_void,
    pub device_type: i32,
    pub device_id: i32,
    pub dtype_code: u8,
    pub dtype_bits: u8,
    pub dtype_lanes: u16,
    pub dimensions: i32,
    pub shape: *const i64,
    pub strides: *const i64,
    pub byte_offset: u64,
}

#[repr(C)]
pub struct Parameter {
    pub struct_size: u32,
    pub kind: u32,
    pub path: Str,
    pub integer: i64,
    pub number: f64,
    pub string: Str,
}

#[repr(C)]
pub struct Component {
    pub struct_size: u32,
    pub reserved: u32,
    pub id: Str,
    pub interface: Str,
    pub version: Str,
    pub summary: Str,
    pub parameters_schema: Str,
    pub slots: *const c_void,
    pub slot_count: u64,
    pub stage: *const c_void,
}

#[repr(C)]
pub struct CreateArguments {
    pub struct_size: u32,
    pub index: u32,
    pub parameters: *const Parameter,
    pub parameter_count: u64,
    pub components: *const c_void,
    pub component_count: u64,
}

/// Opaque to the host: what create() made.
#[repr(C)]
pub struct Instance {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct PluginEntry {
    pub struct_size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub reserved: u32,
    pub name: Str,
    pub version: Str,
    pub license: Str,
    pub init: unsafe extern "C" fn(*const Host) -> *mut Error,
    pub shutdown: Option<unsafe extern "C" fn()>,
    pub component_count: unsafe extern "C" fn() -> u32,
    pub component: unsafe extern "C" fn(index: u32) -> *const Component,
    pub create: unsafe extern "C" fn(*const CreateArguments, *mut *mut Instance) -> *mut Error,
    pub destroy: unsafe extern "C" fn(*mut Instance),
    pub get_interface: unsafe extern "C" fn(*mut Instance, id: Str) -> *const c_void,
}

pub const DISTILL_INTERFACE: &str = "retort.distill/1";
pub const SIGNAL_TEACHER_LOGITS: u64 = 1;

#[repr(C)]
pub struct DistillRequirements {
    pub struct_size: u32,
    pub flags: u32,
    pub signals: u64,
    pub top_k: i64,
    pub on_policy_fraction: f64,
    pub layer_count: i64,
    pub student_layers: *const i64,
    pub teacher_layers: *const i64,
    pub parameter_count: u64,
    pub parameters: *const c_void,
}

#[repr(C)]
pub struct DistillTeacher {
    pub struct_size: u32,
    pub reserved: u32,
    pub weight: f64,
    pub logits: *const Tensor,
    pub top_ids: *const Tensor,
    pub top_log_probs: *const Tensor,
    pub tail_mass: *const Tensor,
    pub hidden: *const *const Tensor,
    pub labels: *const Tensor,
    pub spans: *const Tensor,
}

#[repr(C)]
pub struct DistillBatch {
    pub struct_size: u32,
    pub on_policy: u32,
    pub student_logits: *const Tensor,
    pub student_hidden: *const *const Tensor,
    pub teachers: *const DistillTeacher,
    pub teacher_count: u64,
    pub labels: *const Tensor,
    pub mask: *const Tensor,
    pub sequences: *const Tensor,
    pub positions: *const Tensor,
    pub lengths: *const Tensor,
    pub parameters: *const *const Tensor,
    pub step: i64,
    pub total_steps: i64,
    pub step_weight: f64,
    pub step_sequences: i64,
}

#[repr(C)]
pub struct DistillResult {
    pub struct_size: u32,
    pub reserved: u32,
    pub loss: f64,
    pub logits_gradient: *const Tensor,
    pub hidden_gradients: *const *const Tensor,
    pub parameter_gradients: *const *const Tensor,
    pub metrics: *const MetricSink,
}

#[repr(C)]
pub struct Distill {
    pub struct_size: u32,
    pub reserved: u32,
    pub requirements:
        unsafe extern "C" fn(*mut Instance, setup: *const c_void, *mut DistillRequirements) -> *mut Error,
    pub initialise: Option<unsafe extern "C" fn(*mut Instance, *const c_void, u64, *const Tensor) -> *mut Error>,
    pub loss: unsafe extern "C" fn(*mut Instance, *const DistillBatch, *mut DistillResult) -> *mut Error,
}

// Tables and descriptors are never written after they were made.
unsafe impl Sync for Component {}
unsafe impl Sync for PluginEntry {}

// The sizes of retort/abi/layout.h.
const fn holds(equal: bool) {
    assert!(equal, "a struct of abi.rs is not laid out as the headers have it");
}
const _: () = holds(std::mem::size_of::<Host>() == 88);
const _: () = holds(std::mem::size_of::<MetricSink>() == 24);
const _: () = holds(std::mem::size_of::<Tensor>() == 56);
const _: () = holds(std::mem::size_of::<Parameter>() == 56);
const _: () = holds(std::mem::size_of::<Component>() == 112);
const _: () = holds(std::mem::size_of::<CreateArguments>() == 40);
const _: () = holds(std::mem::size_of::<PluginEntry>() == 120);
const _: () = holds(std::mem::size_of::<DistillRequirements>() == 72);
const _: () = holds(std::mem::size_of::<DistillTeacher>() == 72);
const _: () = holds(std::mem::size_of::<DistillBatch>() == 120);
const _: () = holds(std::mem::size_of::<DistillResult>() == 48);
const _: () = holds(std::mem::size_of::<Distill>() == 32);
