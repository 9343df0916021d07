//! A statement with its values, and its result: the same on both databases.

use std::borrow::Cow;

use super::{Connection, Store, StoreError, Tx, deadline};

/// The value of a column or a placeholder. NULL parameters are typed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
}

/// The result of a statement.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub rows: Vec<Row>,
    /// Number of changed rows.
    pub changed: u64,
}

/// A row of a result.
#[derive(Debug)]
pub(super) struct Row(pub Vec<Value>);

/// A statement under construction; its placeholders are `$1`, `$2` and so on.
#[must_use]
pub(super) struct Statement<'on> {
    on: On<'on>,
    sql: Cow<'static, str>,
    values: Vec<Value>,
}

/// The connection that a statement runs on.
enum On<'on> {
    Tx(&'on mut Tx),
    /// Any connection; the statement only reads.
    Reader(&'on Store),
    /// The writer, as a transaction of its own.
    Writer(&'on Store),
}

impl Store {
    /// A query.
    pub(super) fn query(&self, sql: &'static str) -> Statement<'_> {
        Statement::new(On::Reader(self), sql)
    }

    /// A write that is a transaction of its own.
    pub(super) fn statement(&self, sql: &'static str) -> Statement<'_> {
        Statement::new(On::Writer(self), sql)
    }
}

impl Tx {
    /// A statement of this transaction.
    pub(super) fn statement(&mut self, sql: &'static str) -> Statement<'_> {
        Statement::new(On::Tx(self), sql)
    }

    /// A statement of this transaction whose SQL is composed.
    pub(super) fn composed(&mut self, sql: String) -> Statement<'_> {
        Statement::new(On::Tx(self), sql)
    }

    /// A query that locks its rows until the end of this transaction; SQLite has
    /// a single writer anyway.
    pub(super) fn locking(&mut self, sql: &'static str) -> Statement<'_> {
        if self.is_shared() {
            let sql = format!("{sql} FOR UPDATE");
            return Statement::new(On::Tx(self), sql);
        }
        Statement::new(On::Tx(self), sql)
    }
}

impl<'on> Statement<'on> {
    fn new(on: On<'on>, sql: impl Into<Cow<'static, str>>) -> Self {
        Self {
            on,
            sql: sql.into(),
            values: Vec::new(),
        }
    }

    /// Sets the value of the next placeholder.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it.
    pub async fn write(self) -> Result<(), StoreError> {
        self.run().await.map(drop)
    }

    /// Runs it; returns the number of changed rows.
    pub async fn count(self) -> Result<u64, StoreError> {
        Ok(self.run().await?.changed)
    }

    /// Reads all rows.
    pub async fn all(self) -> Result<Vec<Row>, StoreError> {
        Ok(self.run().await?.rows)
    }

    /// Reads the first row.
    pub async fn optional(self) -> Result<Option<Row>, StoreError> {
        Ok(self.all().await?.into_iter().next())
    }

    /// Reads the one row of a query that always returns one.
    pub async fn one(self) -> Result<Row, StoreError> {
        let row = self.optional().await?;
        row.ok_or_else(|| StoreError::failed("the query returned no row"))
    }

    async fn run(self) -> Result<Outcome, StoreError> {
        let Self { on, sql, values } = self;
        let deadline = deadline();
        match on {
            On::Tx(tx) => tx.connection()?.run(&sql, values, deadline).await,
            On::Writer(store) => {
                let mut writer = store.writer(deadline).await?;
                writer.run(&sql, values, deadline).await
            }
            On::Reader(store) => match store.reader(deadline).await? {
                Connection::Sqlite(connection_guard) => {
                    connection_guard.run_aside(sql, values, deadline).await
                }
                mut postgres => postgres.run(&sql, values, deadline).await,
            },
        }
    }
}

impl Row {
    /// The text of an id for logs.
    pub fn id(&self, column: usize) -> String {
        match self.0.get(column) {
            Some(Value::Int(Some(number))) => number.to_string(),
            Some(Value::Text(Some(text))) => text.clone(),
            _ => String::new(),
        }
    }

    /// The value of a column.
    pub fn get<T: Column>(&self, column: usize) -> Result<T, StoreError> {
        let value = self.0.get(column).and_then(T::of);
        value.ok_or_else(|| StoreError::failed("a column has another type"))
    }
}

/// A type that columns hold.
pub(super) trait Column: Sized {
    /// `None` when the value has another type.
    fn of(value: &Value) -> Option<Self>;
}

impl Column for Option<i64> {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(*number),
            Value::Text(None) => Some(None),
            Value::Text(Some(_)) => None,
        }
    }
}

impl Column for i64 {
    fn of(value: &Value) -> Option<Self> {
        Option::<Self>::of(value)?
    }
}

impl Column for Option<String> {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            Value::Int(None) => Some(None),
            Value::Int(Some(_)) => None,
        }
    }
}

impl Column for String {
    fn of(value: &Value) -> Option<Self> {
        Option::<Self>::of(value)?
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}
