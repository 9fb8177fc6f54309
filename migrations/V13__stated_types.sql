-- Whether a file has stated the type of an action. Null where it is not known: in rows of the release before, which goes
-- on writing to this table.
ALTER TABLE corporate_actions ADD COLUMN is_type_stated boolean;
