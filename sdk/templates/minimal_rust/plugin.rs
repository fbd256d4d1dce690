//! A whole plugin in Rust without any crate: the distillation loss "distill.generalised_jsd" of GKD (Agarwal et al.,
//! arXiv 2306.13649, eq. 1), p teacher, q student, m = β·p + (1−β)·q:
//!
//!     loss_row = β·KL(p‖m) + (1−β)·KL(q‖m)     d loss_row / d z_j = (1−β)·q_j·(log(q_j/m_j) − Σ_i q_i·log(q_i/m_i))
//!
//! Build:  rustc --edition 2021 --crate-type cdylib -O plugin.rs -o generalised_jsd.so
//! Check:  retort plugins check ./generalised_jsd.so
//!
//! abi.rs holds the ABI's structs. Two rules come from Rust: no panic may leave a function that the host calls (the
//! guard below turns it into an error), and what the host lends lives for the call only.

mod abi;

use abi::*;
use std::os::raw::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

/// Valid from init to the end of the process.
static HOST: AtomicPtr<Host> = AtomicPtr::new(null_mut());

fn error(code: i32, message: &str) -> *mut Error {
    let text = Str { data: message.as_ptr(), size: message.len() as u64 };
    unsafe { ((*HOST.load(Ordering::Acquire)).error_new)(code, text) }
}

/// Runs `body`; its message becomes an error that is the caller's fault, a panic one that is this plugin's.
fn guarded(body: impl FnOnce() -> Result<(), String>) -> *mut Error {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => null_mut(),
        Ok(Err(message)) => error(ERROR_INVALID_ARGUMENT, &message),
        Err(_) => error(ERROR_INTERNAL, "generalised_jsd: a panic"),
    }
}

// ---- the algorithm ----

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let numerators: Vec<f64> = logits.iter().map(|z| (z - largest).exp()).collect();
    let total: f64 = numerators.iter().sum();
    numerators.iter().map(|e| e / total).collect()
}

/// x·log(x/y), 0 where x is 0.
fn term(x: f64, y: f64) -> f64 {
    if x > 0.0 { x * (x / y).ln() } else { 0.0 }
}

/// The loss of one row and its gradient by the student's logits.
fn jensen_shannon(beta: f64, student: &[f64], teacher: &[f64]) -> (f64, Vec<f64>) {
    let (q, p) = (softmax(student), softmax(teacher));
    let m: Vec<f64> = q.iter().zip(&p).map(|(q, p)| beta * p + (1.0 - beta) * q).collect();
    let from_teacher: f64 = p.iter().zip(&m).map(|(p, m)| term(*p, *m)).sum();
    let from_student: f64 = q.iter().zip(&m).map(|(q, m)| term(*q, *m)).sum();
    let gradient = q.iter().zip(&m).map(|(q, m)| (1.0 - beta) * (term(*q, *m) - q * from_student)).collect();
    (beta * from_teacher + (1.0 - beta) * from_student, gradient)
}

// ---- retort.distill/1 ----

struct GeneralisedJsd {
    beta: f64,
}

/// A matrix or vector of f32 in host memory, read by its strides.
struct Matrix {
    first: *mut f32,
    rows: i64,
    columns: i64,
    strides: (i64, i64),
}

impl Matrix {
    unsafe fn of(tensor: *const Tensor, name: &str, dimensions: i32) -> Result<Matrix, String> {
        let t = tensor.as_ref().ok_or(format!("{}: missing", name))?;
        if t.device_type != DEVICE_CPU || t.dtype_code != DTYPE_FLOAT || t.dtype_bits != 32 || t.dtype_lanes != 1 {
            return Err(format!("{}: expected f32 in host memory", name));
        }
        if t.dimensions != dimensions {
            return Err(format!("{}: expected {} dimensions, found {}", name, dimensions, t.dimensions));
        }
        let two = dimensions == 2;
        Ok(Matrix {
            first: (t.data as *mut u8).add(t.byte_offset as usize) as *mut f32,
            rows: *t.shape,
            columns: if two { *t.shape.add(1) } else { 1 },
            strides: (*t.strides, if two { *t.strides.add(1) } else { 0 }),
        })
    }
    unsafe fn at(&self, row: i64, column: i64) -> *mut f32 {
        self.first.offset((row * self.strides.0 + column * self.strides.1) as isize)
    }
    unsafe fn row(&self, row: i64, width: i64) -> Vec<f64> {
        (0..width).map(|column| f64::from(*self.at(row, column))).collect()
    }
}

unsafe extern "C" fn requirements(_: *mut Instance, _: *const c_void, out: *mut DistillRequirements) -> *mut Error {
    guarded(|| {
        let out = &mut *out;
        out.flags = 0;
        out.signals = SIGNAL_TEACHER_LOGITS;
        out.top_k = 0;
        out.on_policy_fraction = 0.0;
        out.layer_count = 0;
        out.student_layers = null();
        out.teacher_layers = null();
        out.parameter_count = 0;
        out.parameters = null();
        Ok(())
    })
}

/// All sums over rows, so that the host may pass a step's rows in several calls.
unsafe fn sum_rows(beta: f64, batch: &DistillBatch, result: &mut DistillResult) -> Result<(), String> {
    if batch.teacher_count != 1 {
        return Err(format!("teachers: this loss compares with one, found {}", batch.teacher_count));
    }
    let student = Matrix::of(batch.student_logits, "student_logits", 2)?;
    let teacher = Matrix::of((*batch.teachers).logits, "teacher logits", 2)?;
    if student.rows != teacher.rows {
        return Err(format!("teacher logits: expected {} rows, found {}", student.rows, teacher.rows));
    }
    let mask = if batch.mask.is_null() { None } else { Some(Matrix::of(batch.mask, "mask", 1)?) };
    let gradient = match result.logits_gradient.is_null() {
        true => None,
        false => Some(Matrix::of(result.logits_gradient, "logits_gradient", 2)?),
    };
    let width = student.columns.min(teacher.columns); // vocabularies may be padded differently
    let mut total = 0.0;
    for n in 0..student.rows {
        let weight = mask.as_ref().map_or(1.0, |mask| f64::from(*mask.at(n, 0)));
        let (loss, slopes) = if weight == 0.0 {
            (0.0, vec![0.0; width as usize])
        } else {
            jensen_shannon(beta, &student.row(n, width), &teacher.row(n, width))
        };
        if !loss.is_finite() {
            return Err(format!("row {}: the loss is not finite; if training diverged, lower the learning rate", n));
        }
        total += weight * loss;
        if let Some(gradient) = &gradient {
            for v in 0..student.columns {
                *gradient.at(n, v) = if v < width { (weight * slopes[v as usize]) as f32 } else { 0.0 };
            }
        }
    }
    result.loss = total;
    if let Some(sink) = result.metrics.as_ref() {
        (sink.metric)(sink.context, Str::new("generalised_jsd"), total);
    }
    Ok(())
}

unsafe extern "C" fn loss(
    instance: *mut Instance,
    batch: *const DistillBatch,
    result: *mut DistillResult,
) -> *mut Error {
    guarded(|| sum_rows((*(instance as *const GeneralisedJsd)).beta, &*batch, &mut *result))
}

static DISTILL: Distill =
    Distill { struct_size: std::mem::size_of::<Distill>() as u32, reserved: 0, requirements, initialise: None, loss };

// ---- the plugin ----

static COMPONENT: Component = Component {
    struct_size: std::mem::size_of::<Component>() as u32,
    reserved: 0,
    id: Str::new("distill.generalised_jsd"),
    interface: Str::new(DISTILL_INTERFACE),
    version: Str::new("1.0.0"),
    summary: Str::new("generalised Jensen-Shannon divergence of student and teacher (GKD)"),
    parameters_schema: Str::new(concat!(
        r#"{"type":"object","properties":{"beta":{"type":"number","default":0.5,"exclusiveMinimum":0,"#,
        r#""exclusiveMaximum":1,"description":"weight of the teacher in the mixture; towards 0 forward KL, "#,
        r#"towards 1 reverse KL"}},"required":[],"additionalProperties":false}"#
    )),
    slots: null(),
    slot_count: 0,
    stage: null(),
};

unsafe extern "C" fn init(host: *const Host) -> *mut Error {
    HOST.store(host as *mut Host, Ordering::Release);
    if (*host).abi_major != ABI_MAJOR {
        return error(ERROR_INVALID_ARGUMENT, "generalised_jsd: built for Retort plugin ABI 1; rebuild it");
    }
    null_mut()
}

unsafe extern "C" fn component_count() -> u32 {
    1
}

unsafe extern "C" fn component(index: u32) -> *const Component {
    if index == 0 { &COMPONENT } else { null() }
}

unsafe extern "C" fn create(arguments: *const CreateArguments, out: *mut *mut Instance) -> *mut Error {
    guarded(|| {
        let arguments = &*arguments;
        if arguments.index != 0 {
            return Err("generalised_jsd: no such component".to_string());
        }
        let mut instance = GeneralisedJsd { beta: 0.5 }; // the host fills defaults in
        let mut next = arguments.parameters as *const u8;
        for _ in 0..arguments.parameter_count {
            let parameter = &*(next as *const Parameter);
            if parameter.path.is("/beta") {
                instance.beta = parameter.number;
            }
            next = next.add(parameter.struct_size as usize); // a newer host's entries may be longer
        }
        *out = Box::into_raw(Box::new(instance)) as *mut Instance;
        Ok(())
    })
}

unsafe extern "C" fn destroy(instance: *mut Instance) {
    if !instance.is_null() {
        drop(Box::from_raw(instance as *mut GeneralisedJsd));
    }
}

unsafe extern "C" fn get_interface(_: *mut Instance, id: Str) -> *const c_void {
    if id.is(DISTILL_INTERFACE) { &DISTILL as *const Distill as *const c_void } else { null() }
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static retort_plugin_entry_v1: PluginEntry = PluginEntry {
    struct_size: std::mem::size_of::<PluginEntry>() as u32,
    abi_major: ABI_MAJOR,
    abi_minor: ABI_MINOR,
    reserved: 0,
    name: Str::new("generalised_jsd"),
    version: Str::new("1.0.0"),
    license: Str::new("Apache-2.0"),
    init,
    shutdown: None,
    component_count,
    component,
    create,
    destroy,
    get_interface,
};
