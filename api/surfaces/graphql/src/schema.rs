//! The model as async-graphql's schema: what validates documents, answers introspection and is
//! written as SDL. It executes nothing: see [`crate::run`].

use std::sync::Arc;

use async_graphql::dynamic::{
    self, EnumItem, FieldFuture, InputObject, InputValue, Interface, InterfaceField, Schema,
    SchemaError, SubscriptionField, SubscriptionFieldFuture, TypeRef,
};
use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextValidation,
};
use async_graphql::{
    Response, SDLExportOptions, ServerError, ValidationResult, Value, async_trait,
};

use crate::model::Scalar;
use crate::model::{
    Argument, Enum, Field, Form, Input, MUTATION, Model, NODE, Object, QUERY, SUBSCRIPTION,
};

/// Builds the schema of a model.
pub(crate) fn build(model: &Model) -> Result<Schema, SchemaError> {
    let has = |name: &str| model.objects.get(name).is_some_and(|object| !object.fields.is_empty());
    let mutation = has(MUTATION).then_some(MUTATION);
    let subscription = has(SUBSCRIPTION).then_some(SUBSCRIPTION);
    let mut schema = Schema::build(QUERY, mutation, subscription);
    for (name, scalar) in &model.scalars {
        schema = schema.register(scalar_type(name, scalar));
    }
    for (name, choice) in &model.enums {
        schema = schema.register(enum_type(name, choice));
    }
    for (name, input) in &model.inputs {
        schema = schema.register(input_type(name, input));
    }
    for (name, object) in &model.objects {
        schema = match name.as_str() {
            SUBSCRIPTION => schema.register(subscription_type(object)),
            _ if object.fields.is_empty() => schema,
            _ => schema.register(object_type(name, object)),
        };
    }
    schema = schema.register(node());
    // Both are bounded before it is asked: see `document`.
    schema.limit_recursive_depth(usize::from(u8::MAX)).extension(Steps).finish()
}

/// The schema as text.
pub(crate) fn sdl(schema: &Schema) -> String {
    schema.sdl_with_options(SDLExportOptions::new().use_space_ident().include_specified_by())
}

/// What of the way through async-graphql a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Only validation.
    Validate,
    /// Only execution, of what was validated before.
    Execute,
}

struct Steps;

impl ExtensionFactory for Steps {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for Steps {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        match ctx.data_opt::<Step>() {
            Some(Step::Execute) => {
                Ok(ValidationResult { cache_control: Default::default(), complexity: 0, depth: 0 })
            }
            _ => next.run(ctx).await,
        }
    }

    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        match ctx.data_opt::<Step>() {
            Some(Step::Execute) => next.run(ctx, operation_name).await,
            _ => Response::new(Value::Null),
        }
    }
}

fn scalar_type(name: &str, scalar: &Scalar) -> dynamic::Scalar {
    let form = scalar.form;
    let built = dynamic::Scalar::new(name).description(&scalar.about);
    let built = built.validator(move |value| match (form, value) {
        (_, Value::Null) | (Form::Any, _) => true,
        (Form::Text, value) => matches!(value, Value::String(_)),
        (Form::Whole, Value::Number(number)) => number.is_i64(),
        (Form::Whole, _) => false,
    });
    match scalar.specified_by {
        Some(url) => built.specified_by_url(url),
        None => built,
    }
}

fn enum_type(name: &str, choice: &Enum) -> dynamic::Enum {
    let items = choice.values.iter().map(|value| match value.about.as_str() {
        "" => EnumItem::new(&value.name),
        about => EnumItem::new(&value.name).description(about),
    });
    dynamic::Enum::new(name).description(&choice.about).items(items)
}

fn input_type(name: &str, input: &Input) -> InputObject {
    let empty = InputObject::new(name).description(&input.about);
    input.fields.iter().fold(empty, |built, field| built.field(argument(field)))
}

fn argument(argument: &Argument) -> InputValue {
    let mut built = InputValue::new(&argument.name, argument.kind.clone());
    if !argument.about.is_empty() {
        built = built.description(&argument.about);
    }
    if let Some(default) = &argument.default {
        built = built.default_value(default.clone());
    }
    match &argument.deprecated {
        Some(reason) => built.deprecation(Some(reason)),
        None => built,
    }
}

fn object_type(name: &str, object: &Object) -> dynamic::Object {
    let empty = dynamic::Object::new(name).description(&object.about);
    let empty = if object.is_node { empty.implement(NODE) } else { empty };
    object.fields.iter().fold(empty, |built, one| built.field(field(one)))
}

fn node() -> Interface {
    let id = InterfaceField::new("id", TypeRef::named_nn(TypeRef::ID)).description("Its id.");
    Interface::new(NODE).description("An object that can be asked for by its id alone.").field(id)
}

fn field(field: &Field) -> dynamic::Field {
    let mut built =
        dynamic::Field::new(&field.name, field.kind.clone(), |_| FieldFuture::Value(None));
    if !field.about.is_empty() {
        built = built.description(&field.about);
    }
    for one in &field.arguments {
        built = built.argument(argument(one));
    }
    match &field.deprecated {
        Some(reason) => built.deprecation(Some(reason)),
        None => built,
    }
}

fn subscription_type(object: &Object) -> dynamic::Subscription {
    let empty = dynamic::Subscription::new(SUBSCRIPTION).description(&object.about);
    object.fields.iter().fold(empty, |built, field| {
        let mut one = SubscriptionField::new(&field.name, field.kind.clone(), |_| {
            SubscriptionFieldFuture::new(async {
                Ok(futures::stream::empty::<async_graphql::Result<Value>>())
            })
        });
        one = one.description(&field.about);
        for each in &field.arguments {
            one = one.argument(argument(each));
        }
        built.field(one)
    })
}
